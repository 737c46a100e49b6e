"""Secrets that are known by what they look like, whatever they are named.

Prefixes and shapes: https://github.com/gitleaks/gitleaks/blob/b58d3f1/config/gitleaks.toml and the plugins of
https://github.com/Yelp/detect-secrets (1.5.0). They are taken shorter than their makers make them, since text
may be cut.
"""

import binascii
import re
from collections.abc import Callable, Iterator
from functools import cache
from itertools import pairwise
from typing import Final

import msgspec

Span = tuple[int, int, str]
"""From where on, up to where, and what kind of secret stands there."""

E_MAIL: Final = "e-mail"

_PREFIXES: Final = {
    "private key": "LS0tLS1CRUdJTi",
    "AWS key": "ABSK bedrock-api-key-",
    "GitHub token": "ghp_ gho_ ghu_ ghs_ ghr_ github_pat_",
    "GitLab token": "glpat- gldt- glft- glsoat- glrt- glcbt- glimt- glptt- glagent- gloas- glffct- GR1348941",
    "Slack token": "xoxa- xoxb- xoxc- xoxd- xoxe- xoxe. xoxo- xoxp- xoxr- xoxs- xoxb. xoxp. xapp-",
    "Stripe key": "sk_live_ sk_test_ sk_prod_ pk_live_ pk_test_ rk_live_ rk_test_ rk_prod_ whsec_",
    "Google key": "AIza ya29. GOCSPX-",
    "OpenAI key": "sk-proj- sk-svcacct- sk-admin-",
    "Anthropic key": "sk-ant-",
    "npm token": "npm_",
    "PyPI token": "pypi-",
    "token": (
        "SG. rubygems_ doo_v1_ dop_v1_ dor_v1_ shpat_ shpca_ shppa_ shpss_ glsa_ glc_ sntrys_ sntryu_ "
        "lin_api_ pscale_tkn_ pscale_pw_ pscale_oauth_ pnu_ rdme_ squ_ sqp_ sqa_ sq0atp- sq0csp- sq0idp- "
        "ntn_ dckr_pat_ sm_aat_ sm_pat_ sm_sat_ fo1_ fm1a_ fm1r_ fm2_ CLOJARS_ shippo_live_ shippo_test_ "
        "duffel_live_ duffel_test_ xkeysib- pplx- xai- tvly- hvs. hvb. hvr. dp.pt. dp.st. dp.ct. dt0c01. "
        "dt0s16. PMAK- NRAK- NRII- NRRA- HRKU- fio-u- tskey-auth- tskey-api- tskey-client- pat-na1- pat- "
        "na2- pat-eu1- tk-us- FLWSECK- FLWSECK_TEST- access-sandbox- access-production- s-s4t2ud- s-s4t2af- "
        "amzn.mws. figd_ ATATT3 ATCTT3 AKCp cmVmd sha256~ eyJ "
    ),
}
"""What a token begins with that begins nothing else, by what it is."""

_KINDS: Final = {prefix: kind for kind, prefixes in _PREFIXES.items() for prefix in prefixes.split()}


def _begins(word: str) -> str:
    """Where no character of the class `word` stands before, but in an escape."""
    return rf"(?:(?<![{word}])|(?<=\\[nrt])|(?<=%2[0-9])|(?<=u00[2-7][0-9a-f]))"


_BOUND: Final = _begins("a-zA-Z0-9")

_BREAK: Final = r"(?:\s|\\{1,8}[nrt]|[\",'|>+])"


def _luhn(digits: str) -> bool:
    """Whether the last digit is the check digit: https://www.iso.org/standard/70484.html, annex B."""
    numbers = [int(char) for char in digits if char.isdigit()]
    doubled = [sum(divmod(2 * number, 10)) for number in numbers[-2::-2]]
    return len(set(numbers)) > 1 and (sum(numbers[-1::-2]) + sum(doubled)) % 10 == 0


def _iban(text: str) -> bool:
    """Whether its two check digits are right: https://www.iso.org/standard/81090.html (ISO 13616-1)."""
    compact = text.replace(" ", "")
    return int("".join(str(int(char, 36)) for char in compact[4:] + compact[:4])) % 97 == 1


def _basic(encoded: str) -> bool:
    """Whether it is a user and a password: https://www.rfc-editor.org/rfc/rfc7617#section-2."""
    try:
        return b":" in binascii.a2b_base64(encoded + "=" * (-len(encoded) % 4))
    except binascii.Error:
        return False


_UNITS: Final = frozenset(
    {"service", "socket", "mount", "slice", "target", "scope", "device", "timer", "path", "swap"}
)
_INSIDE: Final = frozenset(
    {"internal", "local", "lan", "localdomain", "svc", "cluster", "consul", "intra", "home"}
)


def _personal(address: str) -> bool:
    """Neither a unit of systemd's nor an account of a machine."""
    name, _, domain = address.partition("@")
    return name != "git" and domain.rpartition(".")[2].lower() not in _UNITS | _INSIDE


_LEAST_RANDOM_CHARS: Final = 16
_LEAST_CHANGES: Final = 0.4
"""Of neighbours in random Base64, 0.64 are of different kinds; in names, a fourth."""


def looks_random(word: str) -> bool:
    """Whether nobody made up `word`: hex digits, or letters of both cases mixed with digits."""
    piece = _longest_piece(word)
    return re.fullmatch(r"(?=.*\d)(?=.*[a-fA-F])[0-9a-fA-F]{16,}", piece) is not None or _is_mixed(piece)


def _longest_piece(word: str) -> str:
    return max(re.split(r"[^a-zA-Z0-9]+", word), key=len)


def _is_mixed(piece: str) -> bool:
    kinds = ["a" if char.islower() else "A" if char.isupper() else "0" for char in piece]
    changes = sum(one != other for one, other in pairwise(kinds))
    return len(piece) >= _LEAST_RANDOM_CHARS and len({*kinds}) == 3 and changes >= _LEAST_CHANGES * len(piece)  # noqa: PLR2004 - the kinds above


def _is_text(word: str) -> bool:
    """Whether it is Base64 of ASCII, as ids of GitHub and New Relic are."""
    try:
        return binascii.a2b_base64(word + "=" * (-len(word) % 4)).decode("ascii").isprintable()
    except ValueError:
        return False


class _Shape(msgspec.Struct, frozen=True):
    """`hints`: one of them is in each text that has it. The secret is group 1 where the pattern has one."""

    kind: str
    hints: tuple[str, ...]
    pattern: str
    accepts: Callable[[str], bool] = lambda _: True


_SHAPES: Final = (
    _Shape(
        "private key",
        ("BEGIN", "PuTTY-User-Key-File", "AGE-SECRET-KEY-"),
        r"-{4,5} ?BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?(?: ?-{4,5})?(?:"
        r"(?:[^\-]|-(?!---)){0,16000}+-{4,5} ?END[A-Z0-9 ]{0,60}(?:-{4,5})?"
        # Its end is cut off: as many long runs of Base64 as follow, and what is left of one.
        rf"|(?:{_BREAK}{{0,40}}+[A-Za-z0-9+/]{{16,}}={{0,2}})*+"
        rf"(?:{_BREAK}{{0,40}}+[A-Za-z0-9+/]{{1,15}}={{0,2}}(?={_BREAK}{{0,40}}+(?:-|\Z)))?)"
        r"|PuTTY-User-Key-File-\d:(?:.|\n(?!\n)){0,8000}"
        r"|AGE-SECRET-KEY-1[A-Z0-9]+",
    ),
    _Shape(
        "AWS key",
        ("AKIA", "ASIA", "ABIA", "ACCA", "A3T"),
        r"(?:A3T[A-Z0-9]|AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{12,}",
    ),
    _Shape("Slack webhook", ("hooks.slack",), r"hooks\.slack(?:-gov)?\.com/[\w/]+"),
    _Shape(
        "webhook",
        ("webhook.office.com/", "/api/webhooks/", "events.pagerduty.com/"),
        r"(?:webhook\.office\.com/webhookb?2?|/api/webhooks|events\.pagerduty\.com/integration)/([\w@\-/.]+)",
    ),
    _Shape("token", ("sk-",), rf"{_BOUND}sk-[\w\-]{{16,}}"),
    _Shape("Azure key", ("Q~",), rf"{_BOUND}[\w~.]{{3}}\dQ~[\w~.\-]{{31,34}}"),
    _Shape("Twilio key", ("AC", "SK"), _BOUND + r"(?:AC|SK)[0-9a-f]{32}(?![0-9a-f])"),
    _Shape(
        "token",
        (
            "-us",
            "key-",
            "dapi",
            "pul-",
            "ico-",
            "p8e-",
            "sgp_",
            "API-",
            "LTAI",
            "EZAK",
            "EZTK",
            "EAA",
            "pat",
            "SCW",
        ),
        _BOUND + r"(?:[0-9a-z]{32}-us\d{1,2}|key-[0-9a-f]{32}|dapi[0-9a-f]{32}(?:-\d)?|pul-[0-9a-f]{40}"
        r"|ico-\w{32}|p8e-\w{32}|sgp_(?:\w{5,16}_)?[0-9a-f]{40}|API-[A-Z0-9]{26}|LTAI[a-zA-Z0-9]{20}"
        r"|pat[a-zA-Z0-9]{14}\.[0-9a-f]{64}|SCW[A-Z0-9]{17}|EZ[AT]K[a-zA-Z0-9]{54}|EAA[A-Za-z][\w\-]{40,})(?!\w)",
    ),
    _Shape(
        "token",
        ("hf_", "api_org_", "oy2", "AP", ":AA", "s.", ".atlasv1.", "nfp_", "gsk_", "AKC", "1//0"),
        _begins("0-9A-Za-z.")
        + r"(?:(?:hf|api_org|nfp|gsk)_[A-Za-z0-9]{30,}|oy2[a-z0-9]{43}|AP[0-9A-F][A-Za-z0-9]{30,}"
        r"|AKC[A-Za-z0-9]{10,}|\d{8,10}:AA[\w\-]{30,}|s\.[A-Za-z0-9]{24}|[A-Za-z0-9]{14}\.atlasv1\.[\w\-=]{20,}"
        r"|1//0[\w\-]{20,})(?![\w.])",
    ),
    _Shape(
        "token",  # Discord's
        (".",),
        _begins(r"\w.\-") + r"[MNO][\w\-]{23,27}\.[\w\-]{6}\.[\w\-]{27,38}(?![\w.])",
        lambda word: looks_random(word.replace(".", "")),
    ),
    _Shape(
        "password hash",
        ("$", "SHA}"),
        r"\{S{0,2}SHA\d{0,3}\}[\w+/]{20,}={0,2}|\$(?:2[abxy]|1|5|6|y|7|argon2(?:id?|d)|pbkdf2-sha\d{1,3}|apr1|scrypt)\$[\w./$=,+\-]{20,}",
    ),
    _Shape(
        "credentials",
        ("earer", "EARER"),
        r"(?:[bB]earer|BEARER)(?:\s|\+|%20){1,8}([\w.~+/=\-]{8,})",
        lambda word: not word.isalpha() or looks_random(word),
    ),
    _Shape(
        "credentials", ("asic", "ASIC"), r"(?:[bB]asic|BASIC)(?:\s|\+|%20){1,8}([\w+/\-]{4,}={0,2})", _basic
    ),
    _Shape(
        "card number",
        tuple("23456"),
        _begins(r"\w.\-/") + r"(?:(?:4\d|5[0-8]|2[2-7]|6[0-9]|35)\d\d(?:\d{12}|(?: \d{4}){3}|(?:-\d{4}){3})"
        r"|3[47]\d\d(?:\d{11}| \d{6} \d{5}|-\d{6}-\d{5})|3[068]\d\d(?:\d{10}| \d{6} \d{4}))(?![\w\-/]|\.\d)",
        _luhn,
    ),
    _Shape(
        "account number",
        tuple("0123456789"),
        _BOUND + r"[A-Z]{2}\d\d(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?(?![A-Za-z0-9])",
        _iban,
    ),
    _Shape(
        E_MAIL,
        ("@",),
        r"(?<![\w.+%\-])[\w.+%\-]{1,64}@(?:[\w\-]{1,63}\.){1,8}[a-zA-Z]{2,24}(?![\w\-]|\.\w)",
        _personal,
    ),
)

_LONG_WORD: Final = (
    _begins(r"\w+/\-.$") + r"(?!sha\d)[A-Za-z0-9+_\-][A-Za-z0-9+/_\-]{31,200}+={0,2}(?![\w/\-]|\.\w)"
)
_IDS: Final = (
    r"(?i)(?:ids?(?:-\d)?|arn|hash|digest|sha-?\d{0,3}|e-?tag|checksum|fingerprint|cursor|guid|revision|commit|version"
    r"|trace|span|request|entity|node|run)[\"'\]]{0,2}\s{0,2}[:=\-]?\s{0,2}[\"'(\[]{0,2}\Z"
)
_PORT: Final = r":\d{0,5}(?![^/?#])"
_NO_USER: Final = frozenset(
    {"mailto", "from", "to", "cc", "by", "user", "owner", "email", "mail", "sip", "acct"}
)


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def find_tokens(text: str) -> Iterator[Span]:
    """Where secrets stand that are known by their looks; they may overlap."""
    prefixes = [prefix for prefix in _KINDS if prefix in text]
    if prefixes:
        either = "|".join(map(re.escape, sorted(prefixes, key=len, reverse=True)))
        body = r"(?:[\w\-+/=~]|\.(?=\w)){6,}+"
        for found in re.finditer(f"{_BOUND}({either}){body}", text):
            yield *found.span(), _KINDS[found[1]]
    for shape in _SHAPES:
        if any(hint in text for hint in shape.hints):
            pattern = _compiled(shape.pattern)
            for found in pattern.finditer(text):
                if shape.accepts(found[pattern.groups]):
                    yield *found.span(pattern.groups), shape.kind
    yield from _unnamed(text)
    if "@" in text:
        yield from _passwords(text)


def _unnamed(text: str) -> Iterator[Span]:
    """Long random words, but for what is said to be an id or a digest, and what is in an address."""
    for found in _compiled(_LONG_WORD).finditer(text):
        if not _is_mixed(_longest_piece(found[0])) or _is_text(found[0]):
            continue
        before = text[max(0, found.start() - 300) : found.start()]
        in_address = "://" in _compiled(r"\[redacted: [\w \-]{1,20}\]").sub("", before).rpartition(" ")[2]
        if not in_address and not _compiled(_IDS).search(before[-20:]):
            yield *found.span(), "token"


def _passwords(text: str) -> Iterator[Span]:
    """Of addresses and connection strings: scheme://user:password@host, user:password@tcp(host).

    https://www.rfc-editor.org/rfc/rfc3986#section-3.2.1; a password may hold what should be escaped in it.
    """
    for run in _compiled(r"[^\s\"'<>]+").finditer(text):
        if "@" not in run[0]:
            continue
        at = run.start()
        for part in run[0].split("://"):
            span = _password_in(part, is_address=at > run.start())
            if span is not None:
                yield at + span[0], at + span[1], span[2]
            at += len(part) + len("://")


def _password_in(part: str, *, is_address: bool) -> Span | None:
    """`part`: what is behind `://`, or a word without one."""
    query = part.find("?") if is_address else -1
    at_sign = part.rfind("@", 0, query if query >= 0 else len(part))
    colon = part.find(":", 0, max(at_sign, 0))
    if at_sign < 0 or part.startswith(("sha256:", "sha512:"), at_sign + 1):
        return None
    if colon < 0:
        return (0, at_sign, "token") if is_address and looks_random(part[:at_sign]) else None
    if _compiled(_PORT).match(part, colon) or (is_address and "/" in part[:colon]):
        return None
    user = part[:colon].rpartition("=")[2]
    if not is_address and (
        user.lower() in _NO_USER or not re.fullmatch(r"[\w.+%\-]{1,64}", user) or user == "arn"
    ):
        return None
    return colon + 1, at_sign, "password"
