"""The configuration of a stack: parsed once into a frozen object, every problem reported together."""

import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from topology.config_keys import (
    EVENT_SOURCE_CONCURRENCY,
    KEPT_SECRET,
    KEYS,
    SLACK_STAND_IN,
    STRONG,
    Key,
    Value,
)
from topology.contacts import CONTACTS_KEY, Contact, parse_contacts
from topology.errors import ExplainedError
from topology.functions import FUNCTIONS, FunctionSpec
from topology.heartbeat_config import HEARTBEATS_KEY, parse_heartbeats
from topology.heartbeats import HeartbeatSpec
from topology.limits import LAMBDA_POLLER_CONCURRENCY
from topology.names import LOCAL_STACK, STACKS
from topology.queues import WORK_QUEUES
from topology.regions import STRONG_REGION_SETS
from topology.route_config import ROUTES_KEY, parse_routes
from topology.routes import RouteSpec
from topology.silence_config import SILENCES_KEY, parse_silences
from topology.silences import Silence
from topology.source_config import SOURCES_KEY, parse_sources
from topology.sources import SourceSpec

_INTEGER: Final = re.compile(r"-?[0-9]{1,18}")


class ConfigError(ExplainedError):
    """The stack's configuration cannot be deployed; `problems` has one line for each wrong value."""

    def __init__(self, problems: list[str]) -> None:
        """Keep the lines apart, for whoever shows them as a list."""
        self.problems = problems
        super().__init__(
            "the configuration of this stack is not valid:\n" + "\n".join(f"  - {p}" for p in problems)
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
    pollers_min: int
    pollers_max: int
    lease_s: int
    takeover_after_s: int
    slack_interval_ms: int
    dedupe_event_window_s: int
    dedupe_content_window_s: int
    source_quota_per_minute: int
    cache_ttl_s: int
    critical_patience_s: int
    incident_window_s: int
    hold_back_s: int
    redact_emails: bool
    claude_model: str
    slack_webhook_origin: str
    slack_channel: str
    synthetic_interval_s: int
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
    alarm_email: str
    escalate_after_s: int
    escalation_url: str
    expected_account_id: str
    chaos_allowed: bool
    owner: str
    sources: tuple[SourceSpec, ...]
    routes: tuple[RouteSpec, ...]
    silences: tuple[Silence, ...]
    heartbeats: tuple[HeartbeatSpec, ...]
    contacts: tuple[Contact, ...]

    @property
    def regions(self) -> tuple[str, str]:
        """The primary and the failover region."""
        return self.primary_region, self.failover_region

    def peer(self, region: str) -> str:
        """The other of the two regions."""
        return self.failover_region if region == self.primary_region else self.primary_region

    @classmethod
    def parse(
        cls,
        *,
        stack: str,
        raw: Mapping[str, object],
        secret: Collection[str] = (),
        check_sources: Callable[[Sequence[SourceSpec]], Sequence[str]] = lambda _: (),
    ) -> "StackConfig":
        """Build the configuration of `stack` from `raw`: key without its namespace to text or value.

        `secret`: those of the keys that were set with `--secret`. `check_sources`: the problems of sources
        that only handlers know; whoever deploys the configuration gives it.

        Raises:
            ConfigError: with every problem found: unknown keys, wrong types, values out of range,
                secrets that would be kept in plain text, and combinations that AWS refuses.
        """
        problems: list[str] = []
        if stack not in STACKS:
            problems.append(f"stack: {stack!r} is not known; allowed: {', '.join(STACKS)}")
        lists = {SOURCES_KEY, ROUTES_KEY, SILENCES_KEY, HEARTBEATS_KEY, CONTACTS_KEY}
        known = lists | {key.name for key in KEYS}
        problems += [
            f"{name}: unknown key; allowed: {', '.join(sorted(known))}" for name in sorted(raw.keys() - known)
        ]
        values: dict[str, Value] = {}
        for key in KEYS:
            value = _parse_value(key, raw.get(key.name), problems)
            if value is not None:
                values[key.name] = value
        sources = parse_sources(raw.get(SOURCES_KEY), problems)
        routes = parse_routes(raw.get(ROUTES_KEY), problems, bot=bool(raw.get("slackChannel")))
        silences = parse_silences(raw.get(SILENCES_KEY), problems)
        heartbeats = parse_heartbeats(raw.get(HEARTBEATS_KEY), problems)
        contacts = parse_contacts(raw.get(CONTACTS_KEY), problems)
        problems += [
            *check_sources(sources),
            *_region_problems(values),
            *_domain_problems(raw),
            *_backup_problems(values),
            *_capacity_problems(values),
            *_stand_in_problems(stack, values),
            *_secret_problems(secret),
        ]
        if problems:
            raise ConfigError(problems)
        return cls(
            stack=stack,
            sources=sources,
            routes=routes,
            silences=silences,
            heartbeats=heartbeats,
            contacts=contacts,
            **_fields(values),  # type: ignore[arg-type]  # `KEYS` fixes names and types
        )


def _parse_value(key: Key, raw: object, problems: list[str]) -> Value | None:
    """The value of one key, or None after adding to `problems`. Pulumi hands every value over as text."""
    if raw is None:
        if key.default is None:
            problems.append(f"{key.name}: missing; allowed: {key.allowed}")
        return key.default
    value: object = raw
    if isinstance(raw, str) and key.type is bool:
        value = {"true": True, "false": False}.get(raw, raw)
    elif isinstance(raw, str) and key.type is int and _INTEGER.fullmatch(raw):
        value = int(raw)
    if type(value) is not key.type or not isinstance(value, str | int | bool) or not key.accepts(value):
        problems.append(f"{key.name}: {raw!r} is not allowed; allowed: {key.allowed}")
        return None
    return value


def _region_problems(values: Mapping[str, Value]) -> list[str]:
    """What is wrong with the regions together; each alone has been checked, and may be missing."""
    problems: list[str] = []
    primary, failover = values.get("primaryRegion"), values.get("failoverRegion")
    witness = values.get("witnessRegion")
    if primary is not None and primary == failover:
        problems.append(
            f"failoverRegion: {failover!r} is primaryRegion too; allowed: a region other than primaryRegion"
        )
    if values.get("ledgerConsistency") == STRONG:
        named = {region for region in (primary, failover, witness) if region}
        complete = len(named) == 3 or primary is None or failover is None  # noqa: PLR2004 - "three regions" is the rule
        if witness == "" or not complete or not any(named <= group for group in STRONG_REGION_SETS):
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


def _domain_problems(raw: Mapping[str, object]) -> list[str]:
    """Whether one of the two was forgotten, be the other right or wrong."""
    if bool(raw.get("domain")) == bool(raw.get("hostedZoneId")):
        return []
    return ["domain: it and hostedZoneId go together; allowed: both, or neither"]


def _backup_problems(values: Mapping[str, Value]) -> list[str]:
    """What is wrong with the backups' times together."""
    kept, locked = values.get("backupRetentionDays"), values.get("backupLockDays")
    if isinstance(kept, int) and isinstance(locked, int) and locked > kept:
        problem = (
            f"backupLockDays: {locked} is more than backupRetentionDays, {kept}, and what is locked cannot "
            f"be deleted; allowed: at most {kept} days"
        )
        return [problem]
    return []


def _capacity_problems(values: Mapping[str, Value]) -> list[str]:
    """Lambda throttles what its queues send beyond a function's reserved concurrency.

    Pollers exclude any `eventSourceConcurrency` but its default: Pulumi gives the program the defaults of
    Pulumi.yaml too, so nobody can tell here whether the stack's own file has it.
    https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html#events-sqs-max-concurrency
    """
    problems = []
    least, most = values.get("pollersMin"), values.get("pollersMax")
    reserved, per_queue = values.get("reservedConcurrency"), values.get("eventSourceConcurrency")
    if isinstance(least, int) and isinstance(most, int) and (least > most or bool(least) != bool(most)):
        problems.append(
            f"pollersMin: {least} does not go with pollersMax, {most}; allowed: both 0, or at most that many"
        )
    if most and per_queue != EVENT_SOURCE_CONCURRENCY:
        problems.append(
            f"pollersMax: {most} provisioned pollers exclude eventSourceConcurrency; allowed: one of the two"
        )
    if most and isinstance(most, int):
        per_queue = most * LAMBDA_POLLER_CONCURRENCY
    queues = max(Counter(queue.consumer for queue in WORK_QUEUES).values())
    if isinstance(reserved, int) and isinstance(per_queue, int) and 0 < reserved < queues * per_queue:
        why = (
            f"pollersMax, {LAMBDA_POLLER_CONCURRENCY} of each"
            if most
            else f"eventSourceConcurrency, {per_queue}"
        )
        problems.append(
            f"reservedConcurrency: {reserved} is less than the {queues} queues of a function may use, each "
            f"{why}; allowed: 0, or at least {queues * per_queue}"
        )
    return problems


def _stand_in_problems(stack: str, values: Mapping[str, Value]) -> list[str]:
    """The embedded Slack is for the embedded AWS: anywhere else alerts would go nowhere, and unencrypted."""
    if stack == LOCAL_STACK or values.get("slackWebhookOrigin") != SLACK_STAND_IN:
        return []
    return [f"slackWebhookOrigin: {SLACK_STAND_IN!r} is the embedded Slack; allowed in stack {LOCAL_STACK}"]


def _secret_problems(secret: Collection[str]) -> list[str]:
    """Names, tags and settings of resources are read by whoever may see these."""
    return [
        f"{key}: it is no secret where it is used; allowed with --secret: {', '.join(sorted(KEPT_SECRET))}"
        for key in sorted({*secret} - KEPT_SECRET)
    ]


def _fields(values: Mapping[str, Value]) -> dict[str, object]:
    """Map camelCase keys to the fields of `StackConfig`, grouping what is per function."""
    per_function = {name for spec in FUNCTIONS for name in (spec.memory_key, f"{spec.key}TimeoutS")}
    fields: dict[str, object] = {
        _snake(name): value for name, value in values.items() if name not in per_function | {"chaos"}
    }
    fields["memory_mb"] = {spec: values[spec.memory_key] for spec in FUNCTIONS}
    fields["timeout_s"] = {spec: values[f"{spec.key}TimeoutS"] for spec in FUNCTIONS}
    fields["chaos_allowed"] = values["chaos"] == "allowed"
    return fields


def _snake(name: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name)
