"""The messages between the supervisor and its clients: options in; reports, status and records out."""

from pathlib import Path
from typing import Any, Literal

import msgspec

from emulator.aws_faults import AwsFault
from emulator.ports import PortPlan
from emulator.stand_ins.faults import Fault

Layout = Literal["regions", "single"]
"""`regions`: a process group for each region and one durable process. `single`: one process for all, which
ministack's IAM enforcement needs, and in which no region can fail alone."""

Power = Literal["running", "frozen", "killed"]


class RegionStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One region. `cut`: its processes run on, but nothing passes in or out."""

    name: str
    power: Power
    cut: bool
    webhook_base_url: str
    refused_hosts: tuple[str, ...]
    """Hosts that its functions called and were not let through to, latest last."""


class ProcessStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One process; `memory_mb` counts its Lambda workers too."""

    name: str
    pid: int
    memory_mb: float


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """The whole emulator."""

    layout: Layout
    auth: bool
    regions: tuple[RegionStatus, ...]
    processes: tuple[ProcessStatus, ...]
    faults: tuple[Fault, ...]
    """Of the stand-ins for Slack and Claude."""
    aws_faults: tuple[AwsFault, ...]
    slack_messages: int
    slack_rate_limited: int
    """Posts beyond the rate limit that was set, each answered 429."""
    claude_calls: int


class StandIns(msgspec.Struct, frozen=True, kw_only=True):
    """The addresses and keys of Slack and Claude for a deployment; None where the real service is used.

    Fetched when needed rather than kept in a file, since three of them are secrets.
    """

    slack_webhook_url: str | None
    slack_webhook_origin: str
    slack_bot_token: str | None
    slack_channel: str | None
    """The id of the channel that the bot may post to."""
    anthropic_api_key: str | None


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """The options of a start. `with_parent`: stop when stdin closes."""

    folder: str
    regions: tuple[str, ...]
    ports: PortPlan
    auth: bool = False
    real_slack: bool = False
    real_claude: bool = False
    with_parent: bool = False

    @property
    def run_dir(self) -> Path:
        """`folder` as a path: everything that the emulator writes is under it."""
        return Path(self.folder)

    @property
    def layout(self) -> Layout:
        """IAM can be enforced only where roles and services are in one process."""
        return "single" if self.auth else "regions"


class StartReport(msgspec.Struct, frozen=True, kw_only=True):
    """The report of a start: `error` is the name of a class of `emulator.errors`, None if it is healthy."""

    error: str | None = None
    message: str = ""


class SlackMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A message that Slack accepted, or an edit of one; `region`: where it came from.

    `alert_ids`, `digests` (id and count of alerts) and `follow_ups` (ids of alerts) are what its blocks are
    marked with. `ts` is Slack's own id of it in its channel; an edit, `edited` by chat.update, has that of
    the message whose place it takes. `thread_ts`: the id of the message that it replies to, if it does.
    """

    received_at_ms: int
    channel: str
    alert_ids: tuple[str, ...]
    region: str
    payload: dict[str, Any]
    digests: tuple[tuple[str, int], ...] = ()
    follow_ups: tuple[str, ...] = ()
    ts: str = ""
    thread_ts: str = ""
    edited: bool = False


class ClaudeCall(msgspec.Struct, frozen=True, kw_only=True):
    """A request that Claude answered. Tokens are estimates, 0 for an error."""

    received_at_ms: int
    region: str
    model: str
    status: int
    stop_reason: str | None = None
    input_tokens: int = 0
    output_tokens: int = 0


class HealthCheckStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A Route 53 health check as it is now; times are epoch milliseconds.

    `kind`: HTTP, HTTPS or CALCULATED. `target`: the URL that is requested; `children`: the ids of the checks
    that a calculated one is made of. `since_ms`: when `healthy` last changed. `checked_ms`: the latest
    observation, 0 for none, and `last_result` its result. `healthy` is inverted already where the check is.
    """

    id: str
    name: str
    kind: str
    target: str
    children: tuple[str, ...]
    inverted: bool
    disabled: bool
    healthy: bool
    since_ms: int
    checked_ms: int
    last_result: str


class PaceRequest(msgspec.Struct, frozen=True, kw_only=True):
    """How much of its configured interval each health check waits: 1 as on AWS, 0.1 ten times as often."""

    factor: float


class NotedFault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A fault that somebody made by AWS's own API, such as a purge, for the log; see `FiredFault`."""

    service: str
    kind: str
    region: str | None
    what: str


class RateLimitRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Messages a second and burst of each Slack channel, or calls of each model; None lifts the limit."""

    per_s: float | None = None
    burst: int = 5


class WebhookRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A further Slack webhook, for `channel`."""

    channel: str
