"""Silences and maintenance windows as a stack's configuration has them, every problem reported together."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import combinations
from typing import Final

from topology.alerts import Severity
from topology.config_lists import SHOWN_CHARS, decoded_list, refusal, repeated_names
from topology.matchers import parse_matcher
from topology.silences import (
    MAX_BY_CHARS,
    MAX_REASON_CHARS,
    MAX_SILENCES_CHARS,
    Silence,
    packed_silences,
)

SILENCES_KEY: Final = "silences"
"""Pulumi.yaml does not declare it, as with `topology.source_config.SOURCES_KEY`."""

MAX_CONFIGURED: Final = 20

_NAME: Final = re.compile(r"[a-z]([a-z0-9-]{0,38}[a-z0-9])?")
_FIELDS: Final = ("name", "match", "from", "until", "reason", "by", "critical")


def parse_silences(raw: object, problems: list[str]) -> tuple[Silence, ...]:
    """The silences of the configuration, after adding what is wrong in them to `problems`.

    `raw` is a list of mappings, or its JSON text, as Pulumi hands it over; None or empty for no silences.
    Windows that are over do no harm.
    """
    given = decoded_list(raw)
    if not isinstance(given, list) or len(given) > MAX_CONFIGURED:
        allowed = f"a list of at most {MAX_CONFIGURED} mappings with {', '.join(_FIELDS)}"
        problems.append(refusal(SILENCES_KEY, raw, allowed))
        return ()
    silences = [_silence(f"{SILENCES_KEY}[{number}]", one, problems) for number, one in enumerate(given)]
    problems += _pair_problems(silences)
    if (length := len(packed_silences(silences))) > MAX_SILENCES_CHARS:
        problems.append(
            f"{SILENCES_KEY}: together they take {length} characters of analysis' environment; allowed: at "
            f"most {MAX_SILENCES_CHARS}; remove those that are over"
        )
    return tuple(silences)


def parse_time(text: str) -> int | None:
    """The epoch second of an ISO 8601 time with its offset; None for anything else."""
    try:
        at = datetime.fromisoformat(text)
        return int(at.astimezone(UTC).timestamp()) if at.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None


def _silence(place: str, given: object, problems: list[str]) -> Silence:
    """One silence; what is wrong in it is left out of it, so that what else is wrong is found too."""
    if not isinstance(given, Mapping):
        problems.append(refusal(place, given, f"a mapping with {', '.join(_FIELDS)}"))
        given = dict.fromkeys(_FIELDS, "")
    unknown = sorted(str(name) for name in given.keys() - set(_FIELDS))
    problems += [
        f"{place}.{name[:SHOWN_CHARS]}: unknown field; allowed: {', '.join(_FIELDS)}" for name in unknown
    ]
    name, by, critical = given.get("name"), given.get("by", ""), given.get("critical", False)
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        allowed = "a name of up to 40 of a-z, 0-9 and -, a letter first"
        problems.append(refusal(f"{place}.name", name, allowed))
        name = ""
    reason = given.get("reason")
    if not isinstance(reason, str) or not 0 < len(reason.strip()) <= MAX_REASON_CHARS:
        allowed = f"why, in up to {MAX_REASON_CHARS} characters"
        problems.append(refusal(f"{place}.reason", reason, allowed))
    if not isinstance(by, str) or len(by) > MAX_BY_CHARS:
        problems.append(refusal(f"{place}.by", by, f"who, in up to {MAX_BY_CHARS} characters"))
    if not isinstance(critical, bool):
        problems.append(refusal(f"{place}.critical", critical, "true or false"))
    from_s, until_s = (_time(f"{place}.{end}", given.get(end), problems) for end in ("from", "until"))
    if 0 < until_s <= from_s:
        problems.append(refusal(f"{place}.until", given.get("until"), "a time after `from`"))
    matcher = parse_matcher(f"{place}.match", given.get("match"), problems)
    if Severity.CRITICAL in matcher.severity and critical is False:
        problems.append(
            f"{place}.match.severity: CRITICAL alerts are told all the same; allowed: `critical: true` to "
            "silence them too, or no CRITICAL here"
        )
    return Silence(
        silence_id=name,
        matcher=matcher,
        from_s=from_s,
        until_s=until_s,
        reason=str(reason),
        by=str(by),
        critical=bool(critical),
    )


def _pair_problems(silences: Sequence[Silence]) -> list[str]:
    """Two of one name, and two that say different ends for the same alerts."""
    problems = repeated_names(SILENCES_KEY, [silence.silence_id for silence in silences])
    for one, other in combinations(silences, 2):
        overlap = one.from_s < other.until_s and other.from_s < one.until_s
        if overlap and one.matcher.is_same(other.matcher):
            problems.append(
                f"{SILENCES_KEY}: {one.silence_id} and {other.silence_id} are about the same alerts at the "
                "same time; allowed: one of them, with the later `until`"
            )
    return problems


def _time(place: str, value: object, problems: list[str]) -> int:
    at_s = parse_time(str(value))
    if at_s is None:
        problems.append(refusal(place, value, "a time with its offset, as '2026-12-01T22:00:00+01:00'"))
    return at_s or 0
