"""Sending an alert by hand, and following it until people are told: each hop with its time."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
import urllib3
from botocore.exceptions import BotoCoreError, ClientError

from clients.deployment import Deployment, RegionEndpoints
from clients.ledger import ParkedAlerts, Row
from clients.sender import POST_TIMEOUT_S
from clients.waiting import wait_for
from topology.alerts import Status
from topology.errors import ExplainedError

ACCEPTED: Final = 202
_ANSWER_MAX_BYTES: Final = 6 * 1024 * 1024
"""Of an answer, as Lambda has it."""


class SendError(ExplainedError):
    """The alert was not sent, or nobody knows what was answered; the message says what to do."""


@dataclass(frozen=True)
class Answer:
    """What was answered; times in epoch milliseconds. `document`: the JSON of it, empty where it is none."""

    region: str
    status: int
    document: Mapping[str, Any]
    sent_at_ms: int
    answered_at_ms: int

    @property
    def alert_ids(self) -> list[str]:
        """Of the alerts that were taken."""
        return [str(alert["alert_id"]) for alert in self.document.get("alerts", ())]


@dataclass(frozen=True)
class Hop:
    """One step of an alert's way, when it was over. `seen`: it was over by then, as far as we looked."""

    name: str
    at_ms: int
    seen: bool = False


@dataclass
class Journey:
    """What was seen of one alert; `row` None while the ledger has none."""

    alert_id: str
    row: Row | None = None
    analysed_seen_ms: int | None = None

    @property
    def at_rest(self) -> bool:
        """Whether nothing more is to come."""
        return self.row is not None and Status(self.row["status"]).at_rest

    def hops(self, answer: Answer) -> list[Hop]:
        """The steps that are known to be over, in order."""
        hops = [Hop("answered", answer.answered_at_ms)]
        if self.row is not None:
            hops.insert(0, Hop("accepted", int(self.row["accepted_at_ms"])))
            if self.analysed_seen_ms is not None:
                hops.append(Hop("analysed", self.analysed_seen_ms, seen=True))
            if self.row.get("notified_at_ms"):
                hops.append(Hop("in Slack", int(self.row["notified_at_ms"])))
        return sorted(hops, key=lambda hop: hop.at_ms)


@dataclass
class Journeys:
    """All alerts of a body."""

    of: list[Journey] = field(default_factory=list)

    @property
    def over(self) -> bool:
        """Whether all are at rest."""
        return all(one.at_rest for one in self.of)


def send_body(
    deployment: Deployment, endpoints: RegionEndpoints, body: bytes, headers: Mapping[str, str]
) -> Answer:
    """Post a body once, as its sender would, with the region's key.

    Raises:
        SendError: the region does not say its key, or does not answer.
    """
    other = next(one.region for one in deployment.regions if one.region != endpoints.region)
    elsewhere = f"the other region takes alerts too: add `--region {other}`"
    try:
        key = deployment.api_key(endpoints)
    except (BotoCoreError, ClientError) as error:
        raise SendError(
            f"{endpoints.region} does not say its API key ({_line(error)}); {elsewhere}"
        ) from error
    sent_at_ms = _now_ms()
    try:
        response = urllib3.PoolManager(retries=False, timeout=urllib3.Timeout(total=POST_TIMEOUT_S)).request(
            "POST",
            endpoints.webhook_url,
            body=body,
            headers={**headers, "x-api-key": key},
            redirect=False,
            preload_content=False,
        )
        content = response.read(_ANSWER_MAX_BYTES)
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise SendError(
            f"{endpoints.region} does not answer within {POST_TIMEOUT_S:g} s ({type(error).__name__}), and "
            f"may have taken it; {elsewhere}: the same alert is told once"
        ) from error
    try:
        document = msgspec.json.decode(content, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError):
        document = {}
    return Answer(endpoints.region, response.status, document, sent_at_ms, _now_ms())


def follow(
    deployment: Deployment,
    alert_ids: Sequence[str],
    *,
    within_s: float,
    tell: Callable[[Journeys], object] = lambda _: None,
) -> Journeys:
    """Look at the alerts until all are at rest, or `within_s` have passed; `tell` is told of each look.

    Raises:
        LedgerUnreachableError: no region answers.
    """
    alerts, journeys = ParkedAlerts(deployment), Journeys([Journey(alert_id) for alert_id in alert_ids])

    def look() -> Journeys:
        for journey in journeys.of:
            if journey.at_rest:
                continue
            journey.row = alerts.get(journey.alert_id)
            analysed = journey.row is not None and journey.row["status"] in (Status.ANALYZED, Status.NOTIFIED)
            if analysed and journey.analysed_seen_ms is None:
                journey.analysed_seen_ms = _now_ms()
        tell(journeys)
        return journeys

    return wait_for(look, lambda seen: seen.over, within_s=within_s)


def _line(error: Exception) -> str:
    return " ".join(str(error).split())


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
