"""Shows that the search can be believed: it finds six planted limits, and names them."""

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from clients.alert_source import new_run
from loadtests.throughput.knee import TOLERANCE
from loadtests.throughput.planted import Finding, PlantedLimit, Site
from loadtests.throughput.saturation import Resource
from loadtests.throughput.tuning import find_knee

_PERCENT: Final = 100


def find_planted(limit: PlantedLimit, site: Site, *, seconds: float) -> Finding:
    """Plant one limit, search it, and lift it.

    Raises what the probe raises.
    """
    begun = time.monotonic()
    source = replace(site.probe.source, run=new_run(), distinct_causes=limit.distinct_causes)
    site = replace(site, probe=replace(site.probe, source=source))
    site.probe.warm_up()
    with limit.plant(site) as per_s:
        found = find_knee(site.probe, seconds=seconds)
    named = found.saturation
    return Finding(
        resource=limit.resource,
        planted_per_s=per_s,
        knee=found.knee,
        named=named.resource if named else Resource.UNKNOWN,
        evidence=named.evidence if named else "nothing failed",
        took_s=time.monotonic() - begun,
    )


def misses(findings: Sequence[Finding]) -> list[str]:
    """The limits that were not found within the tolerance, or not named, in words."""
    said = []
    for finding in findings:
        if finding.error is None:
            said.append(f"{finding.resource}: {finding.knee.probes} probes did not settle it")
        elif abs(finding.error) > TOLERANCE:
            said.append(f"{finding.resource}: {finding.error * _PERCENT:+.1f} % from what was planted")
        if finding.named is not finding.resource:
            said.append(f"{finding.resource}: named {finding.named} ({finding.evidence})")
    return said
