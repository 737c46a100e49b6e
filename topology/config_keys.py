"""The keys of a stack's configuration: types, defaults, ranges and descriptions.

`Pulumi.yaml` declares the same ones so that the Pulumi CLI can check and show them (a test compares the two).
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from topology.backups import INCREMENTAL_WINDOW_MAX_H
from topology.limits import (
    API_INTEGRATION_TIMEOUT_MAX_S,
    API_THROTTLE_BURST_MAX,
    API_THROTTLE_RATE_MAX,
    LAMBDA_EVENT_SOURCE_CONCURRENCY_MAX,
    LAMBDA_EVENT_SOURCE_CONCURRENCY_MIN,
    LAMBDA_MEMORY_MAX_MB,
    LAMBDA_MEMORY_MIN_MB,
    LAMBDA_POLLERS_MAX,
    LAMBDA_POLLERS_MIN,
    LAMBDA_POLLERS_MIN_MAX,
    LAMBDA_TIMEOUT_MAX_S,
    LOG_RETENTION_DAYS,
    SQS_DELAY_MAX_S,
    SQS_VISIBILITY_FACTOR,
    SQS_VISIBILITY_MAX_S,
)
from topology.regions import REGIONS

Value = str | int | bool
STRONG: Final = "strong"
EVENTUAL: Final = "eventual"
SLACK_STAND_IN: Final = "http://hooks.slack.test/"
KEPT_SECRET: Final = frozenset({"alarmEmail", "escalationUrl", "slackChannel"})
"""Keys that Pulumi's state keeps encrypted if they are set with `--secret`."""


@dataclass(frozen=True)
class Key:
    """One configuration key: `accepts` tests a parsed value, `allowed` says in words what passes."""

    name: str
    type: type[str] | type[int] | type[bool]
    default: Value | None
    allowed: str
    accepts: Callable[[Value], bool]
    description: str


def _choice(*values: str) -> tuple[str, Callable[[Value], bool]]:
    return " or ".join(values), lambda v: v in values


def _between(low: int, high: int, unit: str = "") -> tuple[str, Callable[[Value], bool]]:
    return f"{low} to {high}{unit}", lambda v: isinstance(v, int) and low <= v <= high


def _pollers(most: int) -> tuple[str, Callable[[Value], bool]]:
    words = f"0, or {LAMBDA_POLLERS_MIN} to {most}"
    return words, lambda v: isinstance(v, int) and (v == 0 or LAMBDA_POLLERS_MIN <= v <= most)


def _choice_of(*values: int) -> tuple[str, Callable[[Value], bool]]:
    return " or ".join(map(str, values)), lambda v: v in values


CHANNEL_ID: Final = re.compile(r"[CG][A-Z0-9]{8,20}")
"""Of a channel in Slack."""

_HOST_NAME: Final = re.compile(r"(?=.{4,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}")
_EMAIL: Final = re.compile(r"(?=.{3,254}$)[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@([A-Za-z0-9-]+\.)+[A-Za-z]{2,63}")
_REGION = ("an AWS region such as us-east-1", lambda v: v in REGIONS)
_OPTIONAL_REGION = ("an AWS region, or empty", lambda v: v == "" or v in REGIONS)
_BOOL = ("true or false", lambda v: isinstance(v, bool))
_NAME = ("a non-empty text", lambda v: isinstance(v, str) and bool(v.strip()))
_TAG: Final = (
    "up to 256 letters, digits, spaces and _ . : / = + - @",
    lambda v: isinstance(v, str) and bool(v.strip()) and re.fullmatch(r"[\w .:/=+@-]{1,256}", v) is not None,
)
"""What any AWS service takes as a tag's value.
https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html"""

_MEMORY = _between(LAMBDA_MEMORY_MIN_MB, LAMBDA_MEMORY_MAX_MB, " MB")
_EVENT_TIMEOUT = _between(1, min(LAMBDA_TIMEOUT_MAX_S, SQS_VISIBILITY_MAX_S // SQS_VISIBILITY_FACTOR), " s")
_DAY_S = 86_400
_MINUTE_S = 60

EVENT_SOURCE_CONCURRENCY: Final = 10
"""The default of `eventSourceConcurrency`."""

KEYS: Final = (
    Key("primaryRegion", str, None, *_REGION, "Region that sources send to first"),
    Key("failoverRegion", str, None, *_REGION, "Region that is always on and takes over"),
    Key("witnessRegion", str, "", *_OPTIONAL_REGION, "Third region of a strongly consistent ledger"),
    Key("ledgerConsistency", str, STRONG, *_choice(STRONG, EVENTUAL), "Of the alerts table across regions"),
    Key("receptionMemoryMb", int, 512, *_MEMORY, "Memory of the reception function"),
    Key("analysisMemoryMb", int, 1024, *_MEMORY, "Memory of the analysis function"),
    Key("distributionMemoryMb", int, 512, *_MEMORY, "Memory of the distribution function"),
    Key("recoveryMemoryMb", int, 512, *_MEMORY, "Memory of the recovery function"),
    Key("receptionTimeoutS", int, 10, *_between(1, API_INTEGRATION_TIMEOUT_MAX_S, " s"), "Of reception"),
    Key("analysisTimeoutS", int, 60, *_EVENT_TIMEOUT, "Of analysis, its Claude call included"),
    Key("distributionTimeoutS", int, 30, *_EVENT_TIMEOUT, "Of distribution"),
    Key("recoveryTimeoutS", int, 50, *_between(1, 60, " s"), "Of recovery, which runs each minute"),
    Key("reservedConcurrency", int, 0, *_between(0, 1_000), "Per function; 0 reserves none"),
    Key(
        "eventSourceConcurrency",
        int,
        EVENT_SOURCE_CONCURRENCY,
        *_between(LAMBDA_EVENT_SOURCE_CONCURRENCY_MIN, LAMBDA_EVENT_SOURCE_CONCURRENCY_MAX),
        "Most concurrent invocations that one queue may cause",
    ),
    Key(
        "pollersMin", int, 0, *_pollers(LAMBDA_POLLERS_MIN_MAX), "Provisioned pollers of each queue, at least"
    ),
    Key("pollersMax", int, 0, *_pollers(LAMBDA_POLLERS_MAX), "And at most; 0: AWS decides, billed by use"),
    Key("leaseS", int, 120, *_between(1, 3_600, " s"), "How long an alert may rest unworked before Recovery"),
    Key(
        "takeoverAfterS",
        int,
        900,
        *_between(120, _DAY_S, " s"),
        "Silence of a region after which the other acts for it, under an eventual ledger",
    ),
    Key(
        "slackIntervalMs", int, 1_000, *_between(100, 60_000, " ms"), "Least time between two Slack messages"
    ),
    Key("dedupeEventWindowS", int, 3_600, *_between(1, _DAY_S, " s"), "Repeats of a source's own event id"),
    Key("dedupeContentWindowS", int, 300, *_between(1, _DAY_S, " s"), "Repeats of the same content"),
    Key(
        "sourceQuotaPerMinute",
        int,
        3_000,
        *_between(1, 1_000_000, " alerts"),
        "Most alerts of one source and minute that each region sends on one by one; CRITICAL ones are exempt",
    ),
    Key("cacheTtlS", int, _DAY_S, *_between(60, 30 * _DAY_S, " s"), "How long an analysis is reused"),
    Key(
        "criticalPatienceS",
        int,
        2,
        *_between(1, 10, " s"),
        "How long a CRITICAL alert waits for its analysis; then it goes out and is followed up",
    ),
    Key(
        "incidentWindowS",
        int,
        300,
        *_between(0, 3_600, " s"),
        "Alerts of one signature within so long are told as one incident; 0: each by itself",
    ),
    Key(
        "holdBackS",
        int,
        0,
        *_between(0, SQS_DELAY_MAX_S, " s"),
        "How long alerts wait for their resolution before anything is done about them; CRITICAL ones do not",
    ),
    Key("redactEmails", bool, True, *_BOOL, "Whether the model and Slack are shown no e-mail addresses"),  # noqa: FBT003 - the default
    Key("claudeModel", str, "claude-sonnet-5-5", *_NAME, "Model id of the analysis"),
    Key(
        "slackWebhookOrigin",
        str,
        "https://hooks.slack.com/",
        *_choice("https://hooks.slack.com/", "https://hooks.slack-gov.com/", SLACK_STAND_IN),
        "What the URL in the Slack secret must start with; the .test one is the embedded Slack",
    ),
    Key(
        "slackChannel",
        str,
        "",
        "a channel's id such as C0123456789, or empty",
        lambda v: isinstance(v, str) and (v == "" or CHANNEL_ID.fullmatch(v) is not None),
        "Where a bot posts by its own token, so that follow-ups can edit; empty for the webhook",
    ),
    Key(
        "syntheticIntervalS",
        int,
        300,
        "0, or 60 to 3600 s",
        lambda v: isinstance(v, int) and (v == 0 or 60 <= v <= 3_600),  # noqa: PLR2004 - the range
        "Between two synthetic alerts of each region, which show that its whole way is open; 0 for none",
    ),
    Key("apiRateLimit", int, 100, *_between(1, API_THROTTLE_RATE_MAX, " requests/s"), "Of the API key"),
    Key("apiBurstLimit", int, 200, *_between(1, API_THROTTLE_BURST_MAX, " requests"), "Of the API key"),
    Key(
        "apiAccessLog",
        bool,
        False,  # noqa: FBT003 - the default
        *_BOOL,
        "Whether the APIs log each answer; the account needs API Gateway's role for it in both regions",
    ),
    Key(
        "logRetentionDays",
        int,
        30,
        "one of " + ", ".join(map(str, LOG_RETENTION_DAYS)),
        lambda v: v in LOG_RETENTION_DAYS,
        "Of the log groups",
    ),
    Key("deletionProtection", bool, True, *_BOOL, "Whether data and addresses refuse to be deleted"),  # noqa: FBT003 - the default
    Key(
        "domain",
        str,
        "",
        "a host name such as alerts.example.com, or empty",
        lambda v: isinstance(v, str) and (v == "" or _HOST_NAME.fullmatch(v) is not None),
        "Name that sources post to, which fails over by itself; empty: they retry the other region's URL",
    ),
    Key(
        "hostedZoneId",
        str,
        "",
        "the id of a Route 53 hosted zone such as Z0123456789ABC, or empty",
        lambda v: isinstance(v, str) and re.fullmatch(r"(Z[A-Z0-9]{5,31})?", v) is not None,
        "The zone that holds the domain",
    ),
    Key("healthCheckIntervalS", int, 10, *_choice_of(10, 30), "Between two looks of Route 53 at a region"),
    Key(
        "healthCheckFailures", int, 3, *_between(1, 10), "Failing looks in a row after which a region is out"
    ),
    Key(
        "backupBucketSuffix",
        str,
        "",
        "up to 20 lower-case letters, digits and hyphens, or empty",
        lambda v: isinstance(v, str) and re.fullmatch(r"([a-z0-9][a-z0-9-]{0,18}[a-z0-9])?", v) is not None,
        "Ends the backup buckets' names where those are taken; the account id is a good one",
    ),
    Key("backupRetentionDays", int, 35, *_between(1, 3_650, " days"), "Of everything in the backup buckets"),
    Key(
        "backupLock",
        str,
        "governance",
        *_choice("governance", "compliance"),
        "Mode of the backups' Object Lock",
    ),
    Key(
        "backupLockDays",
        int,
        14,
        *_between(1, 3_650, " days"),
        "How long a backup can be neither changed nor deleted",
    ),
    Key(
        "exportMaxAgeH",
        int,
        3,
        *_between(2, INCREMENTAL_WINDOW_MAX_H, " hours"),
        "What the ledger could be restored to may be so old; each hourly export holds as many hours",
    ),
    Key("rtoObjectiveS", int, 600, *_between(1, _DAY_S, " s"), "From losing a region to being served again"),
    Key("rpoObjectiveAlerts", int, 0, *_between(0, 1_000_000), "Alerts that losing a region may lose"),
    Key(
        "packagesFrom",
        str,
        "",
        "a folder with a zip of each function, or empty",
        lambda v: isinstance(v, str),
        "Where packages come from in a rebuild; empty to build them from source",
    ),
    Key(
        "alarmEmail",
        str,
        "",
        "an e-mail address, or empty",
        lambda v: isinstance(v, str) and (v == "" or _EMAIL.fullmatch(v) is not None),
        "Who gets the stack's own alarms by mail as well, should the pipeline be what is broken",
    ),
    Key(
        "escalateAfterS",
        int,
        900,
        "0, or 60 to 86400 s",
        lambda v: isinstance(v, int) and (v == 0 or _MINUTE_S <= v <= _DAY_S),
        "What is CRITICAL and for so long not acknowledged, or not in Slack, goes a second way; 0: never",
    ),
    Key(
        "escalationUrl",
        str,
        "",
        "an https address of up to 500 characters, or empty",
        lambda v: isinstance(v, str) and re.fullmatch(r"(https://[!-~]{1,490})?", v) is not None,
        "A pager's endpoint that SNS posts to as the second way, beside the mail to alarmEmail",
    ),
    Key(
        "expectedAccountId",
        str,
        "",
        "the twelve digits of an AWS account, or empty",
        lambda v: isinstance(v, str) and re.fullmatch(r"([0-9]{12})?", v) is not None,
        "The only account that the stack may be deployed to; empty: whichever the credentials are for",
    ),
    Key("chaos", str, "forbidden", *_choice("forbidden", "allowed"), "Whether faults may be injected"),
    Key("owner", str, "unowned", *_TAG, "Team named in the Owner tag of every resource"),
)
