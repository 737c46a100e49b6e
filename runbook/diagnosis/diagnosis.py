"""The diagnosis of a stack: looks at both regions at once and names the causes that fit, likeliest first."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from clients.checks import WITHIN_S, Outcome
from runbook.diagnosis.evidence import Evidence, Observation, Probe, Scene, Sign, observe
from runbook.diagnosis.log_probes import LOG_PROBES
from runbook.diagnosis.rules import OF_FUNCTIONS, REGION_LOST, RULES, UNREACHABLE, Likelihood, Rule
from runbook.diagnosis.settings_probes import SETTINGS_PROBES
from runbook.diagnosis.traffic_probes import TRAFFIC_PROBES
from runbook.diagnosis.wake_up_probes import WAKE_UP_PROBES

PROBES: Final[tuple[Probe, ...]] = (*SETTINGS_PROBES, *TRAFFIC_PROBES, *WAKE_UP_PROBES, *LOG_PROBES)

_ALL: Final = "*"
_RANKS: Final = tuple(Likelihood)
_SILENCES: Final = (REGION_LOST, UNREACHABLE)


@dataclass(frozen=True)
class Cause:
    """A cause that fits, in the regions that show it. `hint`: the next command."""

    rule: Rule
    regions: tuple[str, ...]
    evidence: tuple[Evidence, ...]

    @property
    def hint(self) -> str:
        """What to do next, with its command in backticks; of the first that was seen."""
        return next((one.mend for one in self.evidence if one.mend), "")


@dataclass(frozen=True)
class Diagnosis:
    """`unexplained`: signs that no cause accounts for; `observation` is all that was seen."""

    causes: tuple[Cause, ...]
    unexplained: tuple[Evidence, ...]
    observation: Observation

    @property
    def unseen(self) -> tuple[Outcome, ...]:
        """What could not be looked at where the region is not known to be lost."""
        lost = {region for cause in self.causes if cause.rule in _SILENCES for region in cause.regions}
        regions = {one.region for one in self.observation.outcomes} - lost
        return tuple(one for region in sorted(regions) for one in self.observation.unseen(region))

    @property
    def blind(self) -> tuple[str, ...]:
        """The regions of which half or more could not be looked at."""
        asked = Counter(one.region for one in self.observation.outcomes)
        unseen = Counter(one.region for one in self.unseen)
        return tuple(region for region, count in asked.items() if unseen[region] * 2 >= count)

    @property
    def well(self) -> bool:
        """Whether nobody is needed: nothing is wrong in what could be looked at, and that was most of it."""
        return not (self.causes or self.unexplained or self.blind)


def diagnose(scene: Scene, *, within_s: float = WITHIN_S) -> Diagnosis:
    """Look at the stack, for `within_s` seconds at most, and conclude."""
    return conclude(observe(scene, PROBES, within_s=within_s))


def conclude(observation: Observation) -> Diagnosis:
    """The causes that fit what was seen, and what none of them explains."""
    shown: dict[Rule, list[Evidence]] = {}
    unexplained: list[Evidence] = []
    regions = dict.fromkeys(one.region for one in observation.outcomes)
    lost = {region for region in regions if _is_lost(observation, region)}
    silence = UNREACHABLE if lost == regions.keys() else REGION_LOST
    for region in regions:
        explained: set[tuple[Sign, str]] = set()
        seen = [one for one in observation.evidence if one.region == region]
        for rule in [silence] if region in lost else [one for one in RULES if one not in _SILENCES]:
            own = [one for one in seen if one.sign in rule.signs and not _symptom(one) & explained]
            if own:
                shown.setdefault(rule, []).extend(own)
                explained |= _explained(rule, own)
        unexplained += [one for one in seen if not _symptom(one) & explained]
    causes = [
        Cause(rule, tuple(dict.fromkeys(one.region for one in own)), tuple(own))
        for rule, own in shown.items()
    ]
    return Diagnosis(tuple(_ranked(causes)), tuple(unexplained), observation)


def _explained(rule: Rule, own: Iterable[Evidence]) -> set[tuple[Sign, str]]:
    """What the cause brings about: of a function's own, only with that function."""
    whose = {one.what for one in own} if OF_FUNCTIONS.issuperset(rule.signs) else {_ALL}
    signs = {*rule.explains, *rule.signs}
    return {(sign, what) for sign in signs for what in (whose if sign in OF_FUNCTIONS else {_ALL})}


def _symptom(one: Evidence) -> set[tuple[Sign, str]]:
    return {(one.sign, one.what), (one.sign, _ALL)}


def _is_lost(observation: Observation, region: str) -> bool:
    silent = any(one.sign is Sign.WEBHOOK_SILENT and one.region == region for one in observation.evidence)
    return silent and region not in observation.answering


def _ranked(causes: Iterable[Cause]) -> list[Cause]:
    return sorted(causes, key=lambda cause: (_RANKS.index(cause.rule.likelihood), RULES.index(cause.rule)))
