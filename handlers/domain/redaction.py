r"""The first bytes of what was refused, without its secrets, for whoever must mend its sender.

It errs on the safe side: what may be a secret is taken out, and sometimes what stands behind it on its line.
Escapes of ASCII (`\u003d`, `\/`, `%3D`) are undone first, so that they hide nothing. All input is hostile:
every pattern is bounded, or looks at each character once.
"""

import re
from collections.abc import Iterator
from typing import Final

from handlers.domain.limits import CUT_MARK, MAX_SAMPLE_BYTES, MAX_SEARCHED_BYTES, cut

REDACTED: Final = "[redacted]"

_ESCAPE: Final = re.compile(r"(?:\\{1,8}u00|%(?:25){0,4})([2-7][0-9a-f])|\\{1,8}/", re.IGNORECASE)
_ENDS_A_VALUE: Final = frozenset(" \"'&<>\\")
"""These stay escaped: inside a value they do not end it."""

_NAMES: Final = (
    r"(?:pass(?:w(?:or)?d|phrase|code)?s?|pwd|jwt|auth|sig|dsn)(?![a-z])|secret|token|authori[sz]ation|cookie"
    r"|credential|signature|session[_\-. ]?id"
    r"|(?:api|access|account|integration|private|routing|service|shared|signing)[_\-. ]?key"
)
"""What looks like the name of a secret, or the end of one."""

_QUOTE: Final = r"(?:\\{0,8}[\"']|%22|%27|&quot;|&#3[49];)"
_NAMED: Final = re.compile(
    rf"(?:{_NAMES})[\w.\-]{{0,40}}(?:{_QUOTE}|[\])])?"
    rf"(?:\s{{0,20}},\s{{0,20}}{_QUOTE}value{_QUOTE})?"  # {{"name": "password", "value": "..."}}
    r"\s{0,20}(?P<sign>=>|[:=>])\s{0,20}(?:[bru]{0,2}(?P<quote>\\{0,8}[\"']))?",
    re.IGNORECASE,
)
_OPTION: Final = re.compile(
    rf"(?<!-)--[a-z0-9\-]{{0,40}}?(?:{_NAMES})[a-z0-9\-]{{0,40}}\s+(\S+)", re.IGNORECASE
)
_CLOSING: Final = {quote: re.compile(rf"(?<!\\)(\\*){quote}") for quote in "\"'"}
_REST_OF_WORD: Final = re.compile(r"[^\s\"'&<>]*")
_REST_OF_LINE: Final = re.compile(r"[^\r\n\"<]*")

_TOKEN: Final = re.compile(
    r"xox[a-z][\-.][\w.\-]+|xapp-[\w\-]+|hooks\.slack\.com/[\w/]+"  # Slack
    r"|(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{12,}"  # AWS
    r"|gh[oprsu]_\w{4,}|github_pat_\w+|glpat-[\w\-]+"  # GitHub, GitLab
    r"|(?:(?<![a-zA-Z0-9])|(?<=\\[nrt]))(?:sk-[\w\-]{16,}|SG\.[\w\-]{10,}(?:\.[\w\-]*)?)"
    r"|[prs]k_(?:live|test)_\w+|AIza[\w\-]{20,}|npm_\w{16,}"  # Stripe, Google, npm
    r"|eyJ[\w\-]{8,}(?:\.[\w\-]*){0,2}"  # a JSON Web Token
    r"|-----BEGIN [A-Z ]{0,30}PRIVATE KEY(?s:.)*?(?:-----END|\Z)"
)
_SCHEME: Final = re.compile(r"(?:bearer|basic)(?:\s|\+|%20){1,8}([\w.~+/=\-]+)", re.IGNORECASE)
_RUN: Final = re.compile(r"[^\s\"'<>]+")
_E_MAIL: Final = re.compile(r"[\w.+%\-]{1,64}@[\w\-]{1,63}(?:\.[\w\-]{1,63})+")


def sample_of(refused: bytes) -> str:
    """About the first `MAX_SAMPLE_BYTES` of `refused`, with a mark in the place of each secret.

    Secrets are looked for in more than that, so that one which is cut by the sample's end is recognised by
    its whole and taken out.
    """
    text, end = _plain(refused[:MAX_SEARCHED_BYTES]), len(_plain(refused[:MAX_SAMPLE_BYTES]))
    sample = _without(_secrets(text), text, end)
    return cut(sample + CUT_MARK if len(refused) > MAX_SAMPLE_BYTES else sample, MAX_SAMPLE_BYTES)


def redacted(text: str, *, emails: bool = True) -> str:
    """`text` with a mark in the place of each secret, and of each e-mail address where `emails` says so.

    What leaves the ledger goes through this: for the model, for Slack, for a log.
    """
    return _without(_secrets(text, emails=emails), text, len(text))


def _without(secrets: Iterator[tuple[int, int]], text: str, end: int) -> str:
    """The text up to `end`, with a mark in the place of each secret; these may overlap."""
    pieces: list[str] = []
    at = 0
    for start, stop in sorted(secrets):
        if start >= end:
            break
        if start > at or not pieces:
            pieces += [text[at:start], REDACTED]
        at = max(at, stop)
    return "".join([*pieces, text[at:end]])


def _plain(body: bytes) -> str:
    """The text of a body, also of one in UTF-16, with the ASCII in it as it is."""
    return _ESCAPE.sub(_unescaped, body.decode(errors="replace").replace("\0", ""))


def _unescaped(escape: re.Match[str]) -> str:
    if escape[1] is None:
        return "/"
    char = chr(int(escape[1], 16))
    return char if char.isprintable() and char not in _ENDS_A_VALUE else escape[0]


def _secrets(text: str, *, emails: bool = True) -> Iterator[tuple[int, int]]:
    """Where secrets are in `text`; they may overlap."""
    yield from _named(text)
    for pattern, group in ((_TOKEN, 0), (_SCHEME, 1), (_OPTION, 1), *([(_E_MAIL, 0)] if emails else [])):
        for found in pattern.finditer(text):
            yield found.span(group)
    # The user info of an address, or of a connection string: scheme://user:password@host, user:password@host.
    # https://www.rfc-editor.org/rfc/rfc3986#section-3.2.1
    for run in _RUN.finditer(text):
        colon, at_sign = run[0].find(":"), run[0].rfind("@")
        if 0 <= colon < at_sign:
            yield run.start() + colon + 1, run.start() + at_sign


def _named(text: str) -> Iterator[tuple[int, int]]:
    """The values of what is named like a secret."""
    at = 0
    while found := _NAMED.search(text, at):
        at = _value_end(text, found)
        if at > found.end():
            yield found.end(), at


def _value_end(text: str, found: re.Match[str]) -> int:
    start, quote = found.end(), found["quote"]
    if quote is not None:
        # A quote with more backslashes before it is a part of the value.
        closing = _CLOSING[quote[-1]].finditer(text, start)
        return next((mark.start() for mark in closing if len(mark[1]) < len(quote)), len(text))
    if text.startswith(("[", "{"), start):
        return len(text)
    rest = _REST_OF_WORD if found["sign"] == "=" else _REST_OF_LINE
    line = rest.match(text, start)
    return line.end() if line is not None else start
