"""Heartbeats as a stack's configuration has them: their form, with every problem reported together."""

import re
from collections.abc import Mapping
from typing import Final

from topology.alerts import Severity
from topology.config_lists import SHOWN_CHARS, decoded_list, refusal, repeated_names
from topology.heartbeats import MAX_HEARTBEATS, MAX_HEARTBEATS_CHARS, HeartbeatSpec, encoded_heartbeats
from topology.matchers import Matcher, parse_matcher

HEARTBEATS_KEY: Final = "heartbeats"
"""Pulumi.yaml does not declare it, as with `topology.source_config.SOURCES_KEY`."""

MIN_EVERY_S: Final = 30
MAX_EVERY_S: Final = 86_400

_NAME: Final = re.compile(r"[a-z][a-z0-9_-]{0,39}")
_FIELDS: Final = ("name", "match", "everyS", "severity")
_ALLOWED: Final = ", ".join(_FIELDS)


def parse_heartbeats(raw: object, problems: list[str]) -> tuple[HeartbeatSpec, ...]:
    """The heartbeats of the configuration, after adding what is wrong in them to `problems`.

    `raw` is a list of mappings, or its JSON text, as Pulumi hands it over; None or empty for no heartbeats.
    """
    given = decoded_list(raw)
    if not isinstance(given, list) or len(given) > MAX_HEARTBEATS:
        allowed = f"a list of at most {MAX_HEARTBEATS} mappings with {_ALLOWED}"
        problems.append(refusal(HEARTBEATS_KEY, raw, allowed))
        return ()
    heartbeats = [_heartbeat(number, value, problems) for number, value in enumerate(given)]
    problems += repeated_names(HEARTBEATS_KEY, [heartbeat.name for heartbeat in heartbeats])
    if (length := len(encoded_heartbeats(heartbeats))) > MAX_HEARTBEATS_CHARS:
        problems.append(
            f"{HEARTBEATS_KEY}: together they take {length} characters of a function's environment; allowed: "
            f"at most {MAX_HEARTBEATS_CHARS}; say less in their matchers"
        )
    return tuple(heartbeats)


def _heartbeat(number: int, value: object, problems: list[str]) -> HeartbeatSpec:
    """One heartbeat; what is wrong in it is left out of it, so that what else is wrong is found too."""
    place = f"{HEARTBEATS_KEY}[{number}]"
    if not isinstance(value, Mapping):
        problems.append(refusal(place, value, f"a mapping with {_ALLOWED}"))
        return HeartbeatSpec(name="", match=Matcher(), every_s=MIN_EVERY_S, severity=Severity.HIGH)
    name, every_s = value.get("name"), value.get("everyS")
    if isinstance(name, str) and _NAME.fullmatch(name):
        place = f"{place} ({name})"
    else:
        allowed = "a name of up to 40 of a-z, 0-9, - and _, a letter first"
        problems.append(refusal(f"{place}.name", name, allowed))
        name = ""
    problems += [
        f"{place}.{key[:SHOWN_CHARS]}: unknown field; allowed: {_ALLOWED}"
        for key in sorted(str(key) for key in value.keys() - {*_FIELDS})
    ]
    if isinstance(every_s, str) and every_s.isdecimal():
        every_s = int(every_s[:9])
    if type(every_s) is not int or not MIN_EVERY_S <= every_s <= MAX_EVERY_S:
        problems.append(refusal(f"{place}.everyS", every_s, f"{MIN_EVERY_S} to {MAX_EVERY_S} seconds"))
        every_s = MIN_EVERY_S
    severity = str(value.get("severity", Severity.HIGH)).upper()
    if severity not in tuple(Severity):
        problems.append(refusal(f"{place}.severity", value["severity"], ", ".join(Severity)))
        severity = Severity.HIGH
    match = _match(f"{place}.match", value.get("match"), problems)
    return HeartbeatSpec(name=name, match=match, every_s=every_s, severity=str(severity))


def _match(place: str, raw: object, problems: list[str]) -> Matcher:
    """What it matches: nobody hears of it as an alert, so it has to say which alert it is."""
    before = len(problems)
    match = parse_matcher(place, raw, problems)
    if len(problems) == before and not any(p.strip("*?") for p in (match.title, *match.labels.values())):
        problems.append(
            f"{place}: it names no alert, and nobody hears of what it matches; say its title, or one of its "
            "labels, such as labels: {alertname: Watchdog}"
        )
    return match
