"""When accepted alerts came to Slack: joined by id from what Slack received and what the ledger says."""

import time
from collections.abc import Callable, Iterable
from typing import Final

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from clients.deployment import Deployment
from clients.rows import LedgerUnreachableError, read_items
from emulator.client import Emulator
from handlers.adapters.aws.items import plain_of
from loadtests.figures import Accepted, Histogram
from topology.alerts import Severity, Status

CRITICAL: Final = str(Severity.CRITICAL)
OTHER: Final = "other"
KINDS: Final = (CRITICAL, OTHER)

_ATTRIBUTES: Final = ("status", "severity", "notified_at_ms", "digest_id", "follow_up", "analysis")


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """What the ledger says of an alert at rest; `analysed`: it has an analysis, from before or after."""

    status: Status
    severity: str
    notified_at_ms: int | None = None
    digest_id: str | None = None
    follow_up: str | None = None
    analysed: bool = False


class Delivery:
    """The accepted alerts of one run, and what became of each.

    Without an emulator Slack cannot be read: there the ledger's time of notification is believed. Without a
    deployment nothing is known of any.
    """

    def __init__(
        self,
        deployment: Deployment | None,
        emulator: Emulator | None,
        told: Callable[[str, float, str | None], None],
    ) -> None:
        """`told` hears of each alert that Slack has, once: its kind, milliseconds, and what went wrong."""
        self._deployment, self._emulator, self._told = deployment, emulator, told
        self._messages = emulator.status().slack_messages if emulator else 0
        self._first_message = self._messages
        self._first_ms: dict[str, int] = {}
        self._done: set[str] = set()
        self.reported = 0
        """How often an alert was reported as accepted."""
        self.accepted: dict[str, Accepted] = {}
        self.rows: dict[str, Row] = {}
        self.follow_ups: set[str] = set()
        self.latency = {kind: Histogram() for kind in KINDS}

    @property
    def reads_ledger(self) -> bool:
        """Whether it is known what became of the alerts."""
        return self._deployment is not None

    @property
    def reads_slack(self) -> bool:
        """Whether Slack itself is read."""
        return self._emulator is not None

    @property
    def messages(self) -> int:
        """How many Slack received in this run."""
        return self._messages - self._first_message

    @property
    def pending(self) -> list[str]:
        """The alerts that are not known to be at rest."""
        return [alert_id for alert_id in self.accepted if alert_id not in self.rows]

    def accept(self, alerts: Iterable[Accepted]) -> None:
        """Note alerts that were answered 202; one that was accepted twice counts from the first time."""
        for alert in alerts:
            self.reported += 1
            self.accepted.setdefault(alert.alert_id, alert)
            self._tell(alert.alert_id, self._first_ms.get(alert.alert_id))

    def read_slack(self) -> None:
        """Read what Slack received since the last time."""
        if self._emulator is None:
            return
        for message in self._emulator.slack_messages(after=self._messages):
            self._messages += 1
            self.follow_ups.update(message.follow_ups)
            for subject in (*message.alert_ids, *(digest_id for digest_id, _ in message.digests)):
                self._tell(subject, self._first_ms.setdefault(subject, message.received_at_ms))

    def read_ledger(self) -> None:
        """Read the rows of those that are not known to be at rest, in the first region that answers.

        Raises:
            LedgerUnreachableError: neither does.
        """
        if self._deployment is None or not self.pending:
            return
        for endpoints in reversed(self._deployment.regions):
            try:
                client = self._deployment.clients.client("dynamodb", endpoints.region)
                items = read_items(
                    client, self._deployment.alerts_table, self.pending, attributes=_ATTRIBUTES
                )
            except (BotoCoreError, ClientError, LedgerUnreachableError) as error:
                failed = error
                continue
            for item in items:
                self._note(**plain_of(item))
            return
        raise LedgerUnreachableError(f"no region's ledger answers: {failed}") from failed

    def _note(self, *, alert_id: str, status: str, analysis: object = None, **values: object) -> None:
        if Status(status).at_rest:
            row = msgspec.convert({"status": status, "analysed": analysis is not None, **values}, Row)
            self.rows[alert_id] = row
            self._join(alert_id, row)

    def _join(self, alert_id: str, row: Row) -> None:
        """Tell of an alert by what is known once it has a row; Slack names the members of no digest."""
        known = self._first_ms.get(alert_id) or self._first_ms.get(row.digest_id or "")
        self._tell(alert_id, row.notified_at_ms if self._emulator is None else known)

    def end(self) -> None:
        """Count what nobody was told as if it had been told now, which is the least that it takes.

        What is SUPPRESSED needs no telling: people know of its parent.
        """
        if self._deployment is None:
            return
        for alert_id, row in self.rows.items():
            self._join(alert_id, row)
        now_ms = time.time_ns() // 1_000_000
        for alert_id in self.accepted.keys() - self._done:
            rested = self.rows.get(alert_id)
            if rested is None or rested.status is not Status.SUPPRESSED:
                why = "not at rest" if rested is None else str(rested.status)
                self._tell(alert_id, now_ms, f"not told in Slack: {why}")

    def _tell(self, alert_id: str, at_ms: int | None, wrong: str | None = None) -> None:
        alert = self.accepted.get(alert_id)
        if alert is None or at_ms is None or alert_id in self._done:
            return
        row = self.rows.get(alert_id)
        severity = alert.severity or (row.severity if row else None)
        if severity is None and wrong is None:
            return  # the ledger will say
        self._done.add(alert_id)
        kind = CRITICAL if severity == CRITICAL else OTHER
        latency_ms = max(0, at_ms - alert.at_ms)
        self.latency[kind].add(latency_ms)
        self._told(kind, latency_ms, wrong)
