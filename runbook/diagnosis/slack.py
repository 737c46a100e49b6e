"""How the way to Slack is: what it refused lately, which channels have to wait, and where routes lead."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from clients.checks import WITHIN_S
from handlers.domain.redaction import redacted
from runbook.diagnosis.diagnosis import Diagnosis, conclude
from runbook.diagnosis.evidence import Scene, Sign, observe
from runbook.diagnosis.log_probes import LOG_PROBES, meaning_of
from runbook.diagnosis.settings_probes import SETTINGS_PROBES
from runbook.diagnosis.traffic_probes import TRAFFIC_PROBES
from topology.functions import DISTRIBUTION

_PROBES = tuple(
    probe
    for probe in (*SETTINGS_PROBES, *TRAFFIC_PROBES, *LOG_PROBES)
    if probe.id in {"secrets", "records", "invocations", f"log-{DISTRIBUTION.key}"}
)


_OF_OTHERS = frozenset({Sign.CLAUDE_REFUSES, Sign.CLAUDE_FAILS, Sign.SWITCHED, Sign.FENCED})
"""What the same probes see that keeps no message from Slack."""


@dataclass(frozen=True)
class SlackError:
    """A kind of failure: how often a region's distribution had it, and when last (epoch milliseconds)."""

    region: str
    reason: str
    count: int
    last_ms: int


@dataclass(frozen=True)
class SlackDiagnosis:
    """`errors`: the most frequent first; `waits`: why a channel has to wait, by channel."""

    diagnosis: Diagnosis
    errors: tuple[SlackError, ...]
    waits: Mapping[str, str]


def diagnose_slack(scene: Scene, *, within_s: float = WITHIN_S) -> SlackDiagnosis:
    """Look at distribution in both regions, for `within_s` seconds at most."""
    seen, claudes = (
        observe(scene, _PROBES, within_s=within_s),
        scene.subject.deployment.names.anthropic_key_secret,
    )
    own = [one for one in seen.evidence if one.sign not in _OF_OTHERS and one.what != claudes]
    diagnosis = conclude(replace(seen, evidence=tuple(own)))
    waits = {
        one.what: one.detail
        for one in diagnosis.observation.evidence
        if one.sign is Sign.SLACK_WAITS and "channel" in one.what
    }
    return SlackDiagnosis(diagnosis, tuple(_errors(scene)), waits)


def _errors(scene: Scene) -> list[SlackError]:
    found: dict[tuple[str, str], SlackError] = {}
    for (region, function), lines in sorted(scene.lines.items()):
        for line in lines if function == DISTRIBUTION.suffix else ():
            meaning = meaning_of(line)
            if meaning is None:
                continue
            reason = redacted(meaning[1])
            before = found.get((region, reason))
            found[region, reason] = SlackError(region, reason, before.count + 1 if before else 1, line.at_ms)
    return sorted(found.values(), key=lambda one: (-one.count, one.region, one.reason))
