"""The configuration of a stack: parsed once into a frozen object, every problem reported together.

The keys, types, defaults and descriptions are in `KEYS`; `Pulumi.yaml` declares the same ones so that
the Pulumi CLI can check and show them (a test compares the two).
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from topology.backups import INCREMENTAL_WINDOW_MAX_H
from topology.errors import ExplainedError
from topology.functions import FUNCTIONS, FunctionSpec
from topology.limits import (
    API_INTEGRATION_TIMEOUT_MAX_S,
    API_THROTTLE_BURST_MAX,
    API_THROTTLE_RATE_MAX,
    LAMBDA_EVENT_SOURCE_CONCURRENCY_MAX,
    LAMBDA_EVENT_SOURCE_CONCURRENCY_MIN,
    LAMBDA_MEMORY_MAX_MB,
    LAMBDA_MEMORY_MIN_MB,
    LAMBDA_TIMEOUT_MAX_S,
    LOG_RETENTION_DAYS,
    SQS_VISIBILITY_FACTOR,
    SQS_VISIBILITY_MAX_S,
)
from topology.names import STACKS
from topology.regions import REGIONS, STRONG_REGION_SETS

Value = str | int | bool
STRONG: Final = "strong"
EVENTUAL: Final = "eventual"


class ConfigError(ExplainedError):
    """The stack's configuration cannot be deployed; `problems` has one line for each wrong value."""

    def __init__(self, problems: list[str]) -> None:
        """Keep the lines apart, for whoever shows them as a list."""
        self.problems = problems
        super().__init__(
            "the configuration of this stack is not valid:\n" + "\n".join(f"  - {p}" for p in problems)
        )


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


def _choice_of(*values: int) -> tuple[str, Callable[[Value], bool]]:
    return " or ".join(map(str, values)), lambda v: v in values


_HOST_NAME: Final = re.compile(r"(?=.{4,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}")
_REGION = ("an AWS region such as us-east-1", lambda v: v in REGIONS)
_OPTIONAL_REGION = ("an AWS region, or empty", lambda v: v == "" or v in REGIONS)
_BOOL = ("true or false", lambda v: isinstance(v, bool))
_NAME = ("a non-empty text", lambda v: isinstance(v, str) and bool(v.strip()))
_MEMORY = _between(LAMBDA_MEMORY_MIN_MB, LAMBDA_MEMORY_MAX_MB, " MB")
_EVENT_TIMEOUT = _between(1, min(LAMBDA_TIMEOUT_MAX_S, SQS_VISIBILITY_MAX_S // SQS_VISIBILITY_FACTOR), " s")
_DAY_S = 86_400

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
        10,
        *_between(LAMBDA_EVENT_SOURCE_CONCURRENCY_MIN, LAMBDA_EVENT_SOURCE_CONCURRENCY_MAX),
        "Most concurrent invocations that one queue may cause",
    ),
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
    Key("cacheTtlS", int, _DAY_S, *_between(60, 30 * _DAY_S, " s"), "How long an analysis is reused"),
    Key("claudeModel", str, "claude-sonnet-5-5", *_NAME, "Model id of the analysis"),
    Key(
        "slackWebhookOrigin",
        str,
        "https://hooks.slack.com/",
        *_choice("https://hooks.slack.com/", "https://hooks.slack-gov.com/", "http://hooks.slack.test/"),
        "What the URL in the Slack secret must start with; the .test one is the embedded Slack",
    ),
    Key(
        "slackChannel",
        str,
        "",
        "a channel's id such as C0123456789, or empty",
        lambda v: isinstance(v, str) and (v == "" or re.fullmatch(r"[CG][A-Z0-9]{8,20}", v) is not None),
        "Where a bot posts by its own token, so that follow-ups can edit; empty for the webhook",
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
    Key("deletionProtection", bool, True, *_BOOL, "Whether the tables refuse to be deleted"),  # noqa: FBT003 - the default
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
    Key("chaos", str, "forbidden", *_choice("forbidden", "allowed"), "Whether faults may be injected"),
    Key("owner", str, "unowned", *_NAME, "Team named in the Owner tag of every resource"),
)


@dataclass(frozen=True)
class StackConfig:
    """What differs between stacks. Times in seconds, memory in MB; see `KEYS` for ranges and meaning."""

    stack: str
    primary_region: str
    failover_region: str
    witness_region: str
    ledger_consistency: str
    memory_mb: Mapping[FunctionSpec, int]
    timeout_s: Mapping[FunctionSpec, int]
    reserved_concurrency: int
    event_source_concurrency: int
    lease_s: int
    takeover_after_s: int
    slack_interval_ms: int
    dedupe_event_window_s: int
    dedupe_content_window_s: int
    cache_ttl_s: int
    claude_model: str
    slack_webhook_origin: str
    slack_channel: str
    api_rate_limit: int
    api_burst_limit: int
    api_access_log: bool
    log_retention_days: int
    deletion_protection: bool
    domain: str
    hosted_zone_id: str
    health_check_interval_s: int
    health_check_failures: int
    backup_bucket_suffix: str
    backup_retention_days: int
    backup_lock: str
    backup_lock_days: int
    export_max_age_h: int
    rto_objective_s: int
    rpo_objective_alerts: int
    packages_from: str
    chaos_allowed: bool
    owner: str

    @property
    def regions(self) -> tuple[str, str]:
        """The primary and the failover region."""
        return self.primary_region, self.failover_region

    def peer(self, region: str) -> str:
        """The other of the two regions."""
        return self.failover_region if region == self.primary_region else self.primary_region

    @classmethod
    def parse(cls, *, stack: str, raw: Mapping[str, object]) -> "StackConfig":
        """Build the configuration of `stack` from `raw`: key without its namespace to text or value.

        Raises:
            ConfigError: with every problem found: unknown keys, wrong types, values out of range,
                and combinations that AWS refuses.
        """
        problems: list[str] = []
        if stack not in STACKS:
            problems.append(f"stack: {stack!r} is not known; allowed: {', '.join(STACKS)}")
        known = {key.name for key in KEYS}
        problems += [
            f"{name}: unknown key; allowed: {', '.join(sorted(known))}" for name in sorted(raw.keys() - known)
        ]
        values: dict[str, Value] = {}
        for key in KEYS:
            value = _parse_value(key, raw.get(key.name), problems)
            if value is not None:
                values[key.name] = value
        problems += [*_region_problems(values), *_backup_problems(values)]
        if problems:
            raise ConfigError(problems)
        return cls(stack=stack, **_fields(values))  # type: ignore[arg-type]  # `KEYS` fixes names and types


def _parse_value(key: Key, raw: object, problems: list[str]) -> Value | None:
    """The value of one key, or None after adding to `problems`. Pulumi hands every value over as text."""
    if raw is None:
        if key.default is None:
            problems.append(f"{key.name}: missing; allowed: {key.allowed}")
        return key.default
    value: object = raw
    if isinstance(raw, str) and key.type is bool:
        value = {"true": True, "false": False}.get(raw, raw)
    elif isinstance(raw, str) and key.type is int:
        value = int(raw) if raw.isascii() and raw.removeprefix("-").isdigit() else raw
    if type(value) is not key.type or not isinstance(value, str | int | bool) or not key.accepts(value):
        problems.append(f"{key.name}: {raw!r} is not allowed; allowed: {key.allowed}")
        return None
    return value


def _region_problems(values: Mapping[str, Value]) -> list[str]:
    """What is wrong with the regions together; each alone has been checked."""
    primary, failover = values.get("primaryRegion"), values.get("failoverRegion")
    witness = values.get("witnessRegion")
    if primary is None or failover is None or witness is None:
        return []
    problems: list[str] = []
    if primary == failover:
        problems.append(
            f"failoverRegion: {failover!r} is primaryRegion too; allowed: a region other than primaryRegion"
        )
    if values.get("ledgerConsistency") == STRONG:
        three = {primary, failover, witness}
        if "" in three or len(three) < 3 or not any(three <= group for group in STRONG_REGION_SETS):  # noqa: PLR2004 - "three regions" is the rule
            sets = "; ".join(", ".join(sorted(group)) for group in STRONG_REGION_SETS)
            problems.append(
                f"witnessRegion: {witness!r} does not make three regions of one set with {primary!r} and "
                f"{failover!r}, which ledgerConsistency 'strong' needs; allowed: three of {sets}"
            )
    elif witness:
        problems.append(
            f"witnessRegion: {witness!r} has no use without ledgerConsistency 'strong'; allowed: empty"
        )
    return problems


def _backup_problems(values: Mapping[str, Value]) -> list[str]:
    """What is wrong with the domain and the backups' times together."""
    problems: list[str] = []
    if bool(values.get("domain")) != bool(values.get("hostedZoneId")):
        problems.append("domain: it and hostedZoneId go together; allowed: both, or neither")
    kept, locked = values.get("backupRetentionDays"), values.get("backupLockDays")
    if isinstance(kept, int) and isinstance(locked, int) and locked > kept:
        problems.append(
            f"backupLockDays: {locked} is more than backupRetentionDays, {kept}, and what is locked cannot "
            f"be deleted; allowed: at most {kept} days"
        )
    return problems


def _fields(values: Mapping[str, Value]) -> dict[str, object]:
    """Map camelCase keys to the fields of `StackConfig`, grouping what is per function."""
    per_function = {f"{spec.key}{suffix}" for spec in FUNCTIONS for suffix in ("MemoryMb", "TimeoutS")}
    fields: dict[str, object] = {
        _snake(name): value for name, value in values.items() if name not in per_function | {"chaos"}
    }
    fields["memory_mb"] = {spec: values[f"{spec.key}MemoryMb"] for spec in FUNCTIONS}
    fields["timeout_s"] = {spec: values[f"{spec.key}TimeoutS"] for spec in FUNCTIONS}
    fields["chaos_allowed"] = values["chaos"] == "allowed"
    return fields


def _snake(name: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name)
