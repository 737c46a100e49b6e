"""What can be wrong with one member of a group, or with what surrounds the members: one function each.

A spoiler gets a member of its own to change, and returns the bytes that stand for it in the body: what no
JSON encoder writes is put in there. Whatever it does, the body stays JSON but for what the webhook mends.
"""

import json
from collections.abc import Callable
from random import Random
from typing import Any, Final

Member = dict[str, Any]
Spoiler = Callable[[Random, Member], bytes]

NO_TEXTS: Final = (7, -0.5, True, False, None, [], ["a", 1], {}, {"a": {"b": 1}}, "")
NUMBERS: Final = (
    "1e999",
    "-1e999",
    "NaN",
    "Infinity",
    "-Infinity",
    "9" * 5_000,
    "1" + "0" * 40,
    "1e-400",
    "-0",
)
ODD_TEXTS: Final = (
    "\u202egnp.exe",
    "\u200b",
    "\u2060\ufeff",
    "\u0645\u06cc\u200c\u0634\u0648\u062f",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467",
    "e\u0301" * 40,
    "\ufffe\uffff\U0010ffff",
    "\u0085\u2028\u2029",
    "\x7f\x1b[31m",
    "<!channel>",
)
HUGE: Final = (3_000, 17_000, 40_000, 100_000)
DEPTHS: Final = (30, 40, 300, 2_000, 20_000)
_HERE: Final = "put-here-what-no-encoder-writes"


def encoded(value: Any) -> bytes:
    """Its JSON."""
    return json.dumps(value).encode()


def any_value(random: Random) -> bytes:
    """Something that nobody expects where a text should be."""
    return random.choice(
        (
            encoded(random.choice(NO_TEXTS)),
            encoded(random.choice(ODD_TEXTS)),
            random.choice(NUMBERS).encode(),
            random.choice((rb'"\u0000"', rb'"\ud83d"', b'"\xff"', b'"\n\x01"', rb'"C:\Program Files"')),
            b"[" * 600 + b"]" * 600,
            encoded("x" * 30_000),
        )
    )


def raw(random: Random, member: Member, value: bytes) -> bytes:
    """The member with `value` as it is, at a random place of those that people write."""
    place = random.choice(("labels", "annotations", "annotations", "member"))
    name = random.choice(("description", "summary", "team", "alertname", "status", "severity"))
    inside = member if place == "member" or not isinstance(member.get(place), dict) else member[place]
    inside[name] = _HERE
    return encoded(member).replace(encoded(_HERE), value)


def escaped(*pieces: bytes) -> Spoiler:
    """One of these byte strings inside a text."""
    return lambda random, member: raw(random, member, b'"before ' + random.choice(pieces) + b' after"')


def without(*path: str) -> Spoiler:
    """A field is missing."""

    def spoil(_random: Random, member: Member) -> bytes:
        inside = member
        for name in path[:-1]:
            inside = inside.get(name, {})
        inside.pop(path[-1], None)
        return encoded(member)

    return spoil


def odd(*path: str, values: tuple[Any, ...] = NO_TEXTS) -> Spoiler:
    """A field has a value of the wrong kind."""

    def spoil(random: Random, member: Member) -> bytes:
        inside = member
        for name in path[:-1]:
            inside = inside.setdefault(name, {})
        inside[path[-1]] = random.choice(values)
        return encoded(member)

    return spoil


def _nothing_but(random: Random, member: Member) -> bytes:
    return encoded({"status": random.choice(("firing", "resolved", None)), "labels": member.get("extra", {})})


def _no_object(random: Random, _member: Member) -> bytes:
    return random.choice(
        (b"3", b"null", b'"x"', b"[]", b"true", b"[[{}]]", b'"{\\"labels\\": {}}"', b"1e999")
    )


def _many_labels(random: Random, member: Member) -> bytes:
    long = "n" * random.choice((1, 300))
    member["labels"] = {f"{long}{n}": "v" * random.choice((1, 300)) for n in range(random.choice((70, 300)))}
    return encoded(member)


def _deep(random: Random, member: Member) -> bytes:
    depth = random.choice(DEPTHS)
    opened, closed = random.choice(((b"[", b"]"), (b'{"a":', b"}")))
    return raw(random, member, opened * depth + b"1" + closed * depth)


def _twice(random: Random, member: Member) -> bytes:
    name = random.choice(("status", "labels", "annotations", "fingerprint", "startsAt"))
    again = encoded(random.choice((*NO_TEXTS, member.get(name))))
    return encoded(member)[:-1] + b", " + encoded(name) + b": " + again + b"}"


def _ledger_names(_random: Random, member: Member) -> bytes:
    """What a row has, as if a sender could write it."""
    forged = {"alert_id": "a1", "parent_id": "a1", "expires_at": 1, "open_key": "x", "raw": "", "schema": 9}
    return encoded(member | forged | {"status": "SUPPRESSED", "labels": member.get("labels", {}) | forged})


def _resolved_twin(random: Random, member: Member) -> bytes:
    return encoded(member | {"status": random.choice(("resolved", "RESOLVED ", "ok", "closed"))})


MEMBERS: Final[dict[str, Spoiler]] = {
    "no name": without("labels", "alertname"),
    "odd name": odd("labels", "alertname", values=(*NO_TEXTS, " ", "\u200b", "\u202e\u2066", "x" * 5_000)),
    "no labels": without("labels"),
    "odd labels": odd("labels", values=(*NO_TEXTS, "alertname=x", [{"name": "a", "value": "b"}])),
    "odd label": odd("labels", "instance", values=(*NO_TEXTS, *ODD_TEXTS)),
    "label without a name": odd("labels", "", values=("orphan", "", None, 5)),
    "many labels": _many_labels,
    "odd severity": odd("labels", "severity", values=(*NO_TEXTS, "urgent", "CLEAR", "critical\n", "5" * 300)),
    "odd annotations": odd("annotations", values=NO_TEXTS),
    "odd annotation": odd("annotations", "summary", values=(*NO_TEXTS, *ODD_TEXTS)),
    "no status": without("status"),
    "odd status": odd("status", values=(*NO_TEXTS, "???", "Firing ", "suppressed", "nodata", "\u200b")),
    "no start": without("startsAt"),
    "odd start": odd("startsAt", values=(*NO_TEXTS, "yesterday", "0001-01-01T00:00:00Z",
                                         "9999-99-99T99:99:99Z", 10**30, -1,
                                         "2026-11-23T08:00:00+99:99", "1" * 400)),
    "no fingerprint": without("fingerprint"),
    "odd fingerprint": odd("fingerprint", values=(*NO_TEXTS, " ", "f" * 5_000, *ODD_TEXTS)),
    "odd link": odd("generatorURL", values=(*NO_TEXTS, "javascript:alert(1)",
                                           "http://{{x}}/", "http://-/", "/x")),
    "nothing but its status": _nothing_but,
    "no object": _no_object,
    "resolved twin": _resolved_twin,
    "ledger's names": _ledger_names,
    "long text": lambda random, member: raw(random, member, encoded("x\n" * (random.choice(HUGE) // 2))),
    "odd text": lambda random, member: raw(random, member, encoded(random.choice(ODD_TEXTS))),
    "odd number": lambda random, member: raw(random, member, random.choice(NUMBERS).encode()),
    "NUL": escaped(rb"\u0000", rb"\u0000\u0000"),
    "lone surrogate": escaped(rb"\ud83d", rb"\udc00", rb"\udc00\ud83d", b"\xed\xa0\x80"),
    "no UTF-8": escaped(b"\xff", b"caf\xe9", b"\xc3", b"\xf0\x9f\x98", b"\xfe\xff\x00".replace(b"\0", b"")),
    "control": escaped(b"\n", b"\t", b"\x01", b"\x1b[31m", b"\x7f", rb"\u0001\u001f"),
    "odd escape": escaped(rb"C:\Program Files\x", rb"\d+\.\d+", rb"\u00g1", rb"\'"),
    "name twice": _twice,
    "deep": _deep,
}  # fmt: skip
"""By name: what is wrong with a member."""

Fields = list[tuple[str, bytes]]


def _set(fields: Fields, name: str, value: Any) -> None:
    fields[:] = [field for field in fields if field[0] != name]
    fields.append((name, value if isinstance(value, bytes) else encoded(value)))


def changed(name: str, *values: Any) -> Callable[[Random, Fields], None]:
    """A field of the group, of the wrong kind; bytes stand as they are."""
    return lambda random, fields: _set(fields, name, random.choice(values))


GROUPS: Final[dict[str, Callable[[Random, Fields], None]]] = {
    "group without a version": lambda _, fields: fields.remove(("version", b'"4"')),
    "group's version a number": changed("version", 4),
    "group without a status": changed("status", *NO_TEXTS),
    "group resolved": changed("status", "resolved"),
    "odd count of left out": changed("truncatedAlerts", *NO_TEXTS, "many", -3, b"1e999", b"NaN",
                                     10**50, "17"),
    "odd common labels": changed("commonLabels", *NO_TEXTS, {"severity": "info", "alertname": "Other"},
                                 {f"a{n}": "x" * 300 for n in range(100)}, {"": ""}, {"severity": ["x"]}),
    "odd common annotations": changed("commonAnnotations", *NO_TEXTS, {"summary": 5}, {"severity": "none"}),
    "odd group key": changed("groupKey", *NO_TEXTS, "k" * 20_000, b'"\xff"', rb'"\u0000"',
                             b"[" * 500 + b"]" * 500),
    "unknown fields": changed("source", "grafana", 5, {"title": "x"}, b"1e999"),
    "generic fields": lambda _, fields: fields.extend((n, b'"x"') for n in ("title", "message", "severity")),
    "field twice": lambda random, fields: fields.append(random.choice(fields)),
}  # fmt: skip
"""By name: what is wrong around the members."""
