"""Secrets that are known by their names: `password=...`, `"api_key": "..."`, `Authorization: ...`.

A name alone says little in prose (`token: expired`, `secretName: db`): what follows must look like a value.
"""

import re
from collections.abc import Iterator
from functools import cache
from typing import Final

from handlers.domain.redaction.tokens import Span, looks_random

_HINTS: Final = (
    *(
        "pass",
        "pwd",
        "secret",
        "token",
        "key",
        "auth",
        "cookie",
        "credential",
        "signature",
        "sig",
        "jwt",
        "dsn",
    ),
    *("session", "contrase", "kennwort", "identified", "ssn", "psk", "pw", "hmac", "senha", "mdp", "clave"),
)
_COMMAND_HINTS: Final = ("-u", "user", "login", "mysql", "mongo", "sqlplus", "sshpass", "redis-cli")
_NAME: Final = (
    r"(?P<name>(?:(?<!com)(?<!by)(?<!sur)(?<!tres)pass(?:w(?:or)?d|phrase|code|wort)?s?|pwd|contrase(?:[nñ]|\\{1,8}u00f1)a|senha|mdp|mot\sde\spasse|clave(?=\s?[:=]\s?\S{0,40}\d)|kennwort|psk|jwt|auth|sig|dsn|ssn"
    r"|hmac)(?![a-z])|(?<![a-z])pw(?![a-z])|identified\s{1,4}by|secret|token|authori[sz]ation|cookie|credential"
    r"|signature|session[_\-. ]?id|(?:api|app|application|access|account|auth|client|consumer|db|database"
    r"|deploy|encryption|integration|license|master|priv|private|routing|service|shared|signing|ssh|storage|subscription"
    r"|webhook)[_\-. ]?key(?![a-z])|(?P<key>key(?![a-z])))(?P<tail>[\w.\-]{0,40}+)"
)
"""What looks like the name of a secret, or the end of one."""

_OTHER_AFTER: Final = (
    r"[_\-. ]?(?:names?|refs?|reference|types?|kind|counts?|version|policy|length|len|age|ttl|path|file|dir"
    r"|rate|limit|bucket|status|state|errors?|arn|urls?|uri|endpoint|size|bytes|used|usage|index"
    r"|manager|store|provider|class|failures?|failed|attempts?|mismatch|method|mode|scope|host|user|algorithm|alg"
    r"|expir\w*|rotat\w*|chang\w*|reset\w*|valid\w*|invalid\w*|requir\w*|enabled|disabled|per|issue[rd]?|field"
    r"|budget|window|i[sz](?:er?|ed|ation)s?|ar(?:y|ies|iat))(?![a-z])"
)
"""Behind a name: it is one of something else, as in `secretName`, `token_count`, `passwordPolicy`."""

_OTHER_BEFORE: Final = (
    r"(?:next|page|pagination|continue|continuation|unexpected|max|input|output|prompt|total|error|fault|alert"
    r"|method|stack|event|public|cache|primary|foreign|partition|sort|range|object|group|dedup|idempotency|hash)"
    r"[_\-. ]?\Z"
)
"""Before a name: as in `nextToken`, `error signature`, `cache key`."""

_ARN: Final = r"arn:[\w:/\-]*\Z"

_IN_MARK: Final = r"\[redacted: [a-z \-]{0,20}\Z"

_QUOTE: Final = r"(?:\\{0,8}+[\"'`]|%22|%27|&quot;|&#3[49];)"
_SIGN: Final = (
    rf"(?P<closed>{_QUOTE})?[\])]?"
    # As in {"name": "password", "value": "..."} and in <add key="password" value="..."/>.
    rf"(?:\s{{0,20}}+,?\s{{0,20}}+{_QUOTE}?value{_QUOTE}?)?"
    rf"\s{{0,20}}+(?:is\s{{0,4}})?(?P<sign>=>|:=|==?|[:>])\s{{0,20}}+(?:[bru]{{0,2}}(?P<quote>{_QUOTE}))?"
)
_SAID: Final = (
    r"[\"']?\s{1,8}+(?P<is>(?:is|was|es|ist)\s(?:(?:re)?(?:set|changed)\sto\s)?)?"
    r"(?P<quote>[\"'])?\(?(?P<value>[^\s\"'(),;]{1,200}+)"
)
_OPTION: Final = r"(?:\A|[\s\"'])--?[\w\-]*\Z"
_COMMANDS: Final = (
    r"(?<!\S)(?:-u|--user|--proxy-user)[ =]{0,4}(?:[\w.@\\\-]{1,64}:([^\s\"']+)"
    r"|[\"'][\w.@\\\-]{1,64}:([^\r\n\"']+))"
    r"|(?<!\S)login\s\S{1,64}\spassword\s(\S+)"
    r"|(?<![\w\-])sqlplus\s(?:-\w{1,9}\s)?\w{1,64}/([^\s\"'@]+)"
    r"|(?<![\w\-])(?:(?:mysql|mongo)\w{0,10}\s(?:[^\r\n]{0,80}?\s)?-p"
    r"|(?:docker|podman|helm|oc|az)\s(?:\w{1,20}\s)?login\s(?:[^\r\n]{0,80}?\s)?-p|sshpass\s-p|redis-cli\s(?:[^\r\n]{0,80}?\s)?-a)"
    r"\s?(\S+)"
)
"""curl's, mysql's and their like; a line of .netrc."""

_KINDS: Final = (
    *(
        ("pass", "password"),
        ("pwd", "password"),
        ("kennwort", "password"),
        ("identified", "password"),
        ("pw", "password"),
        ("senha", "password"),
        ("mdp", "password"),
        ("clave", "password"),
        ("contrase", "password"),
        ("key", "key"),
    ),
    *(
        ("token", "token"),
        ("jwt", "token"),
        ("cookie", "cookie"),
        ("session", "session"),
        ("auth", "credentials"),
    ),
    *(("cred", "credentials"), ("sig", "signature")),
)
"""The first that a name contains says what is shown in the place of its value."""

_NO_VALUE: Final = (
    r"(?:null|none|nil|true|false|undefined|empty|unset|yes|no|on|off|missing|expired?|invalid|incorrect|wrong"
    r"|required|failed|failure|denied|rejected|ok|n/a|unknown|redacted|removed|hidden|masked|changed?|default"
    r"|sig[a-z]{2,6}|\d{1,5}(?:\.\d{1,9})?%?|x{3,40}|[*•.\-]{1,40}|<[\w \-]{1,40}>|\[redacted[^\]]{0,30}\]?"
    r"|\$\{?[\w.]{1,60}\}?|\{\{?[\w. ]{0,60}\}?\}|%[sdvr]|arn:[\w:/\-+.@]{1,200}|0x[0-9a-f]{1,16}"
    r"|\w{0,40}token\{[0-9a-f]{1,16})"
)
_HARMLESS: Final = _NO_VALUE + r"(?:[\s,;.:)\]}&\"'`<\\]|\Z)"
_HARMLESS_QUOTED: Final = _NO_VALUE + r"(?:\\{0,8}[\"'`]|[&%]|\Z)"
_PROSE: Final = r"[a-z]{1,20}(?:[\s,;:!?)]|\.(?!\w{0,40}\d)|\Z)"
_PROSE_OF_PASSWORDS: Final = (
    r"(?:is|was|are|were|has|have|had|does|did|do|must|may|can|cannot|could|should|will|would|the|an?|for|from|to|of|in"
    r"|on|at|by|with|not|and|or|but|that|this|it|user|authenticat\w*|authoriz\w*|login|access|connection|permission"
    r"|account|please|try|check|unable|error|too|already|mismatch|needs?|been)(?![\w\-])"
)

_WORD: Final = r"(?:[^\s\"'&<>;,\\`]|[;,](?!\s|\Z|[\w.\-]{1,40}[=:])|\\(?![nrt\"']))*+"
_CLAUSE: Final = r"(?:[^\r\n\"'<,;|`)\\ ]|\\(?![nrt\"'])| (?![\w.\-]{1,40}[=:]|[\-|(]))*+"
"""One of more words, such as a pass phrase, up to what does not belong to it."""

_SAFE_WORD: Final = r"[^\s\"'&<>]*"
_SAFE_LINE: Final = r"[^\r\n\"<]*"
_PARAMETERS: Final = (
    r"(?:digest|hawk|oauth|signature)(?:[\s,]{1,8}\w{1,40}="
    r"(?:\\{0,8}\"[^\"\\\r\n]{0,500}\\{0,8}\"|[^\s,\"\\]{1,500}))+"
)
_SCHEME: Final = (
    r"(?:bearer|basic|token|apikey|key|geniekey|ssws|splunk|negotiate|ntlm)\s{1,8}[^\s\"'<,;]+"
    rf"|{_PARAMETERS}"
)

_COMMON_WORD: Final = r"(?:[^\W\d_]+|\d{1,3})[.!]{0,9}\Z"
_DIRECTORY: Final = r"[~/][\w./\-]*(?:[\s;]|\Z)"
"""What a variable PWD has by itself: where a program runs."""

_MAX_NESTED_CHARS: Final = 20_000


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


def find_named_values(text: str, *, whole_lines: bool = False) -> Iterator[Span]:
    """Where values stand that are named like secrets. `whole_lines`: with all that may belong to one."""
    lowered = text.lower()
    if any(hint in lowered for hint in _COMMAND_HINTS):
        for option in _compiled(_COMMANDS).finditer(text):
            yield (*option.span(option.lastindex or 0), "password")
    if not any(hint in lowered for hint in _HINTS):
        return
    at = 0
    while name := _compiled(_NAME).search(text, at):
        at = name.end()
        before = text[max(0, name.start() - 64) : name.start()]
        if _speaks_of_another(name["tail"], before):
            continue
        sign = _compiled(_SIGN).match(text, name.end())
        if sign is None or (sign["sign"] == ">" and "<" not in before[-20:]):
            span = _said(text, name, before)
        else:
            span = _assigned(text, name, sign, before, whole_lines=whole_lines)
        if span is not None and span[1] > span[0]:
            yield span
            at = span[1]


def _speaks_of_another(tail: str, before: str) -> bool:
    return bool(
        _compiled(_OTHER_AFTER).match(tail)
        or _compiled(_OTHER_BEFORE).search(before[-14:])
        or _compiled(_ARN).search(before)
        or _compiled(_IN_MARK).search(before)
    )


def _kind(name: str) -> str:
    return next((kind for part, kind in _KINDS if part in name.lower()), "secret")


def _said(text: str, name: re.Match[str], before: str) -> Span | None:
    """What follows without a sign: an option's value, or a word that nobody made up."""
    said = _compiled(_SAID).match(text, name.end())
    if said is None:
        return None
    kind, word = _kind(name["name"]), said["value"]
    is_option = _compiled(_OPTION).search(before) and not word.startswith("-")
    is_password = kind == "password" and (
        said["quote"] or (said["is"] and not _compiled(_COMMON_WORD).match(word))
    )
    if is_option or is_password or looks_random(word):
        return *said.span("value"), kind
    return None


def _assigned(
    text: str, name: re.Match[str], sign: re.Match[str], before: str, *, whole_lines: bool
) -> Span | None:
    start, kind, quote = sign.end(), _kind(name["name"]), sign["quote"]
    harmless = _HARMLESS if quote is None else _HARMLESS_QUOTED
    if _compiled(harmless).match(text, start) or _is_any_key(name, text, start):
        return None
    if (
        name[0].lower() == "pwd"
        and before[-1:] not in ("_", "-")
        and _compiled(_DIRECTORY).match(text, start)
    ):
        return None
    if quote is not None:
        return start, _closing(text, start, quote), kind
    if text[start : start + 1] in ("[", "{") and (whole_lines or sign["closed"] is not None):
        return start, len(text) if whole_lines else _nested_end(text, start), kind
    if whole_lines and _compiled(_PARAMETERS).match(text, start):
        value: str | None = _PARAMETERS
    elif whole_lines:
        value = _SAFE_WORD if "=" in sign["sign"] else _SAFE_LINE
    else:
        configured = (
            sign["closed"] or name["tail"] or re.search(r"[\w\-]\Z", before) or re.search(r"[_\-]", name[0])
        )
        value = _form_of(text, start, name["name"].lower(), sign["sign"], is_configured=bool(configured))
    found = None if value is None else _compiled(value).match(text, start)
    return None if found is None else (*found.span(), kind)


def _form_of(text: str, start: int, name: str, sign: str, *, is_configured: bool) -> str | None:
    """What a value without quotes is made of, or None: what stands there is prose."""
    if sign == ">":
        return _SAFE_LINE
    if name.startswith(("authori", "cookie")):
        if _compiled(_SCHEME).match(text, start):
            return _SCHEME
        return None if _compiled(_PROSE).match(text, start) else _SAFE_LINE
    if "=" in sign:
        return _WORD
    if _kind(name) == "password":
        return None if _compiled(_PROSE_OF_PASSWORDS).match(text, start) else _CLAUSE
    return None if not is_configured and _compiled(_PROSE).match(text, start) else _WORD


def _is_any_key(name: re.Match[str], text: str, start: int) -> bool:
    """Whether it is only called a key, and what it is of is no secret by its looks."""
    word = _compiled(r"[^\s\"',;&<>=]{1,200}+").match(text, start)
    return name["key"] is not None and not (word and looks_random(word[0]))


def _closing(text: str, start: int, quote: str) -> int:
    """Where the value ends that `quote` began, on its line; a quote with more backslashes is a part of it."""
    line_end = text.find("\n", start)
    line_end = len(text) if line_end < 0 else line_end
    if quote[-1] not in "\"'`":
        end = text.find(quote, start, line_end)
        return line_end if end < 0 else end
    closings = _compiled(rf"(\\*+){quote[-1]}").finditer(text, start, line_end)
    return next((mark.start() for mark in closings if len(mark[1]) < len(quote)), line_end)


def _nested_end(text: str, start: int) -> int:
    """Where the array or object at `start` ends."""
    depth = 0
    for bracket in _compiled(r"[\[\]{}]").finditer(text, start, start + _MAX_NESTED_CHARS):
        depth += 1 if bracket[0] in "[{" else -1
        if depth == 0:
            return bracket.end()
    return min(len(text), start + _MAX_NESTED_CHARS)
