"""The figures that decide, as the functions have them now: windows, quota, routes, silences, heartbeats."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from clients.coordination import CoordinationUnreachableError
from clients.deployment import Deployment
from clients.failover import Failover, NoRegionAnswersError
from clients.silences import MadeSilences
from handlers.domain.configured import configured_formats
from handlers.domain.formats import Format
from handlers.settings import AnalysisSettings, ReceptionSettings, SettingsError
from topology.functions import ANALYSIS, RECEPTION
from topology.heartbeats import HeartbeatSpec
from topology.routes import RouteSpec
from topology.silences import Silence

REGION_VARIABLE: Final = "AWS_REGION"
"""Lambda sets it itself, and no answer has it.
https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html"""


@dataclass(frozen=True, kw_only=True)
class StackRules:
    """What is configured. `silences` are all that are known, those that are over among them."""

    event_window_s: int
    content_window_s: int
    quota_per_minute: int
    hold_back_s: int
    incident_window_s: int
    routes: tuple[RouteSpec, ...]
    silences: Mapping[str, Silence]
    sources: tuple[Format, ...]
    heartbeats: tuple[HeartbeatSpec, ...]


def read_rules(deployment: Deployment) -> StackRules | str:
    """The rules of the first region that says them, or why they are unknown."""

    def ask(region: str) -> tuple[ReceptionSettings, AnalysisSettings]:
        here = {REGION_VARIABLE: region}
        return (
            ReceptionSettings.from_environment(deployment.environment(RECEPTION, region) | here),
            AnalysisSettings.from_environment(deployment.environment(ANALYSIS, region) | here),
        )

    try:
        reception, analysis = Failover().ask(deployment.regions, lambda endpoints: ask(endpoints.region))
        made = MadeSilences(deployment).read()
    except (NoRegionAnswersError, SettingsError, CoordinationUnreachableError) as error:
        return f"the configuration is unknown: {error}"
    return StackRules(
        event_window_s=reception.dedupe_event_window_s,
        content_window_s=reception.dedupe_content_window_s,
        quota_per_minute=reception.source_quota_per_minute,
        hold_back_s=reception.hold_back_s,
        incident_window_s=analysis.incident_window_s,
        routes=analysis.routes,
        silences={silence.silence_id: silence for silence in (*analysis.silences, *made)},
        sources=configured_formats(reception.sources),
        heartbeats=reception.heartbeat_specs,
    )
