"""The alert: as a source gave it (`IncomingAlert`) and as the ledger keeps it (`Alert`).

Every handler works on these. The attributes of `Alert` are the ledger's, by name: docs/architecture.md
has the table.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

import msgspec

from topology.alerts import (
    SYNTHETIC,
    FaultState,
    FollowUp,
    Severity,
    Status,
    follow_up_key,
    open_key,
    parked_key,
    repeat_key,
    silenced_key,
    unacknowledged_key,
)
from topology.queues import Queue


class Step(StrEnum):
    """Which worker an alert waits for."""

    ANALYSIS = "analysis"
    DISTRIBUTION = "distribution"


class LinkKind(StrEnum):
    """What a link of an alert leads to; Slack shows them in this order."""

    SOURCE = "source"
    RUNBOOK = "runbook"
    DASHBOARD = "dashboard"
    SILENCE = "silence"


class IncomingAlert(msgspec.Struct, frozen=True, kw_only=True):
    """One alert of a body, as a format understood it: nothing cut yet.

    `event_id` and `status` are the source's own; `severity_word` is its word for the severity where
    that is none that we know; `part` is the JSON text of the body's part for this alert.
    `links` are by `LinkKind`.
    `index` is its place in the body, from 0. `state` is what it says of its fault, `changed_at` since when by
    the source's own clock, where its format has that. `episode` is when this run of the fault began, where
    the source says so: a part of the identity, which `started_at` as such is not. `mended` says what was put
    right in it, `left_out` how many alerts of its group the sender left out.
    """

    source: str
    title: str
    severity: Severity
    part: str
    message: str = ""
    component: str | None = None
    host: str | None = None
    links: Mapping[str, str] = msgspec.field(default_factory=dict)
    started_at: str | None = None
    episode: str | None = None
    changed_at: str | None = None
    state: FaultState = FaultState.FIRING
    index: int = 0
    event_id: str | None = None
    status: str | None = None
    severity_word: str | None = None
    labels: Mapping[str, str] = msgspec.field(default_factory=dict)
    mended: tuple[str, ...] = ()
    left_out: int = 0


class Analysis(msgspec.Struct, frozen=True, kw_only=True):
    """What the model said. `confidence`: low, medium or high. Its text is as untrusted as the alert's.

    `cached`: it was said of another alert of the same signature; `left_out` sentences and actions of it did
    not fit this one.
    """

    summary: str
    probable_cause: str
    actions: tuple[str, ...]
    confidence: str
    model: str
    cached: bool = False
    left_out: int | msgspec.UnsetType = msgspec.UNSET


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the ledger. None means that the attribute is absent.

    `timestamp`, `due_at`, `not_before` and `expires_at` are epoch seconds, `..._ms` epoch milliseconds.
    `links` are by `LinkKind`; `link`, the source's of them, is the one that the release before shows.
    `schema` is the number of the row's form (`topology.alerts.SCHEMA`). `body_hash` tells a sender's retry
    from a repeat. `fault_key` is shared by all that is told of one fault, `state` is what this alert says of
    it, since `changed_at_ms`. `epoch` is its owner's at acceptance (see `ownership`). `possible_duplicates`
    counts, by `DuplicateCause`, how often it may have been posted without our knowing. `digest_id` is there
    when it went out as a part of a digest, `alone` when Slack refused a digest with it, `slack_ref` when its
    message can be edited. `successor_id`: the repeat that was promoted in its place when it was PARKED.
    `route` names the channel it goes to, the default one if it is absent; `unusable_route` is the one that it
    had, by whose address Slack took nothing. `incident_id` is shared by the
    alerts that are told as one incident (see `delivery.incidents`); its `lead` alerts are posted at once, the
    others are held until they are told together.
    `silence_id`: it is SUPPRESSED under this silence, which ends at `silenced_until`. `escalate_at`: when it
    goes a second way unless somebody acknowledges it; `escalated_at`: when it did (all epoch seconds).
    `folds`: it tells of the alerts above a source's quota (see `intake.quotas`), which are its children and
    `folded`.
    """

    alert_id: str
    status: Status
    severity: Severity
    timestamp: int
    created_at: str
    accepted_at_ms: int
    region: str
    owner: str
    format: str
    source: str
    title: str
    message: str
    identity: str
    raw: str
    schema: int
    raw_truncated: bool = False
    labels: Mapping[str, str] = msgspec.field(default_factory=dict)
    attempts: int = 0
    epoch: int = 0
    possible_duplicates: Mapping[str, int] = msgspec.field(default_factory=dict)
    component: str | None = None
    host: str | None = None
    link: str | None = None
    links: Mapping[str, str] | None = None
    started_at: str | None = None
    severity_word: str | None = None
    mended: tuple[str, ...] | None = None
    left_out: int | None = None
    fault_key: str | None = None
    state: FaultState | None = None
    changed_at_ms: int | None = None
    body_hash: str | None = None
    parent_id: str | None = None
    folds: bool | None = None
    folded: bool | None = None
    open_key: str | None = None
    due_at: int | None = None
    lease_token: str | None = None
    not_before: int | None = None
    analysis: Analysis | None = None
    analysis_error: str | None = None
    follow_up: FollowUp | None = None
    parked_reason: str | None = None
    successor_id: str | None = None
    alone: bool | None = None
    route: str | None = None
    unusable_route: str | None = None
    incident_id: str | None = None
    lead: bool | None = None
    silence_id: str | None = None
    silenced_until: int | None = None
    escalate_at: int | None = None
    escalated_at: int | None = None
    acknowledged_at: int | None = None
    acknowledged_by: str | None = None
    snoozed_by: str | None = None
    notified_at_ms: int | None = None
    digest_id: str | None = None
    slack_ref: str | None = None
    expires_at: int | None = None

    @property
    def shown_links(self) -> dict[str, str]:
        """Its links by `LinkKind`, in the order of that; of a row of the release before, the one it has."""
        links = self.links or ({LinkKind.SOURCE: self.link} if self.link else {})
        return {kind: links[kind] for kind in LinkKind if kind in links}

    @property
    def step(self) -> Step | None:
        """Which worker it waits for, or None: nothing is to be done, or only by an operator or Recovery."""
        if self.status is Status.RECEIVED:
            return Step.ANALYSIS
        if self.status is Status.ANALYZED:
            return Step.DISTRIBUTION
        if self.status is Status.NOTIFIED and self.follow_up is not None:
            return Step.ANALYSIS if self.follow_up is FollowUp.WANTED else Step.DISTRIBUTION
        return None

    @property
    def queue(self) -> Queue:
        """Where a wake-up about this alert goes while it waits for a worker. A follow-up is never urgent."""
        urgent = self.severity is Severity.CRITICAL and not self.status.at_rest
        if self.step is Step.ANALYSIS:
            return Queue.PROCESSING_CRITICAL if urgent else Queue.PROCESSING
        return Queue.DISTRIBUTION_CRITICAL if urgent else Queue.DISTRIBUTION

    @property
    def synthetic(self) -> bool:
        """Whether it only shows that the way is open: no model is asked, and nobody is told of it."""
        return self.format == SYNTHETIC

    @property
    def expected_open_key(self) -> str | None:
        """The `open_key` it belongs under, as it stands."""
        if not self.status.at_rest:
            return open_key(self.owner, self.severity)
        if self.status is Status.PARKED:
            return parked_key(self.owner)
        if self.status is Status.SUPPRESSED:
            if self.due_at is None:
                return None
            return repeat_key(self.owner) if self.silence_id is None else silenced_key(self.owner)
        if self.step is not None:
            return follow_up_key(self.owner)
        return None if self.escalate_at is None else unacknowledged_key(self.owner)


FIXED_ATTRIBUTES: Final = (
    "alert_id", "severity", "timestamp", "created_at", "accepted_at_ms", "region", "format", "source",
    "title", "message", "component", "host", "link", "links", "started_at", "severity_word", "mended",
    "left_out", "labels", "identity", "fault_key", "state", "changed_at_ms", "body_hash",
    "parent_id", "folds", "folded", "raw", "raw_truncated", "schema",
)  # fmt: skip
"""The attributes of `Alert` that nobody changes after it is accepted (docs/architecture.md, The ledger).

A repair tells by them that a row was written by somebody else.
"""
