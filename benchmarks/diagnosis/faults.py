"""The faults that a diagnosis is measured by: ten one by one, and pairs drawn from the chaos actions."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from chaos import actions
from chaos.target import Target
from topology.functions import ANALYSIS
from topology.queues import PROCESSING

PAIRS: Final = 10

Configuration = Mapping[str, Any]


@dataclass(frozen=True)
class Fault:
    """A fault to plant: what it is called, the causes that name it, and how the emulator's log has it.

    `plant` may return how to undo it; what the chaos actions do is undone for all. `logged`: (service, kind)
    of `emulator.fault_log`; None: it holds once it is planted.
    """

    name: str
    causes: frozenset[str]
    plant: Callable[[Target, Configuration], Callable[[], object] | None]
    logged: tuple[str, str] | None = None


def _aws(target: Target, service: str, *, failover: bool = False) -> Any:
    endpoints = target.deployment.failover if failover else target.deployment.primary
    return target.deployment.clients.client(service, endpoints.region)


def _stopped(target: Target, _: Configuration) -> Callable[[], object]:
    client, name = _aws(target, "lambda"), target.deployment.names.function(ANALYSIS)
    before = client.get_function_concurrency(FunctionName=name)["ReservedConcurrentExecutions"]
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    return lambda: client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=before)


def _unmapped(target: Target, _: Configuration) -> Callable[[], object]:
    client, queue = _aws(target, "lambda", failover=True), target.deployment.names.queue(PROCESSING)
    found = client.list_event_source_mappings()["EventSourceMappings"]
    uuid = next(one["UUID"] for one in found if one["EventSourceArn"].endswith(f":{queue}"))
    client.update_event_source_mapping(UUID=uuid, Enabled=False)
    return lambda: client.update_event_source_mapping(UUID=uuid, Enabled=True)


def _key_disabled(target: Target, _: Configuration) -> Callable[[], object]:
    client, name = _aws(target, "apigateway"), target.deployment.names.api_key
    key = next(one["id"] for one in client.get_api_keys(nameQuery=name)["items"] if one["name"] == name)

    def enable(value: str) -> object:
        return client.update_api_key(
            apiKey=key, patchOperations=[{"op": "replace", "path": "/enabled", "value": value}]
        )

    enable("false")
    return lambda: enable("true")


def _secret_deleted(target: Target, _: Configuration) -> Callable[[], object]:
    client, name = _aws(target, "secretsmanager"), target.deployment.names.anthropic_key_secret
    client.delete_secret(SecretId=name, RecoveryWindowInDays=7)
    return lambda: client.restore_secret(SecretId=name)


def _unscheduled(target: Target, _: Configuration) -> Callable[[], object]:
    client, name = _aws(target, "scheduler", failover=True), target.deployment.names.recovery_schedule
    found = client.get_schedule(Name=name)
    kept = {key: found[key] for key in ("Name", "ScheduleExpression", "FlexibleTimeWindow", "Target")}
    client.update_schedule(**kept, State="DISABLED")
    return lambda: client.update_schedule(**kept, State="ENABLED")


def _lost(region: str, how: str) -> Fault:
    def plant(_: Target, configuration: Configuration) -> None:
        actions.lose_region(region, how, configuration)

    return Fault(f"lose {region} by {how}", frozenset({"region-lost"}), plant)


def _failing(when: str, region: str | None, function: str | None) -> Fault:
    def plant(_: Target, configuration: Configuration) -> None:
        actions.fail_functions(100, when, configuration, region=region, function=function)

    name = f"fail {function or 'functions'} {when} in {region or 'both'}"
    kind = "error" if when == "before" else "error_after"
    return Fault(name, frozenset({"function-fails"}), plant, ("lambda", kind))


def _throttled() -> Fault:
    def plant(_: Target, configuration: Configuration) -> None:
        actions.throttle_tables(100, configuration)

    return Fault("throttle tables", frozenset({"table-throttled"}), plant, ("dynamodb", "throttled"))


_SPENT: Final = "claude-refuses"


def _claude(kind: str) -> Fault:
    def plant(_: Target, configuration: Configuration) -> None:
        actions.fail_claude(kind, configuration)

    cause = _SPENT if kind == "spend_limit" else "claude-fails"
    return Fault(f"claude {kind}", frozenset({cause}), plant, ("claude", kind))


_OF_SLACK: Final = {
    "rate_limited": "slack-waits",
    "server_error": "slack-fails",
    "reset": "slack-fails",
    "invalid_token": "slack-address",
    "no_active_hooks": "slack-address",
    "channel_is_archived": "slack-address",
    "invalid_payload": "slack-refuses",
}


def _slack(kind: str) -> Fault:
    def plant(_: Target, configuration: Configuration) -> None:
        actions.fail_slack(kind, configuration, retry_after_s=30)

    return Fault(f"slack {kind}", frozenset({_OF_SLACK[kind]}), plant, ("slack", kind))


def _denied(region: str) -> Fault:
    def plant(_: Target, configuration: Configuration) -> None:
        actions.deny_queues(region, configuration)

    return Fault(f"deny queues of {region}", frozenset({"queue-denied"}), plant, ("sqs", "denied"))


def _purged() -> Fault:
    def plant(_: Target, configuration: Configuration) -> None:
        actions.purge_queues(configuration)

    return Fault("purge queues", frozenset({"wake-ups-lost"}), plant, ("sqs", "purged"))


def _poisoned() -> Fault:
    def plant(_: Target, configuration: Configuration) -> None:
        actions.poison_queues(4, configuration)

    return Fault("poison queues", frozenset({"poison"}), plant, ("sqs", "poison"))


def singles() -> list[Fault]:
    """Five that somebody sets wrongly, and five that happen."""
    return [
        Fault("analysis has no concurrency", frozenset({"function-stopped"}), _stopped),
        Fault("a mapping is disabled", frozenset({"mapping-off"}), _unmapped),
        Fault("the API key is disabled", frozenset({"key-unusable"}), _key_disabled),
        Fault("Claude's key is deleted", frozenset({"secret-unusable"}), _secret_deleted),
        Fault("Recovery's schedule is disabled", frozenset({"schedule-off"}), _unscheduled),
        _lost("primary", "freeze"),
        _throttled(),
        _slack("rate_limited"),
        _claude("spend_limit"),
        _purged(),
    ]


def pairs(seed: int) -> list[tuple[Fault, Fault]]:
    """Pairs of different actions of `chaos.actions`, each with arguments that are drawn too."""
    drawn = random.Random(seed)  # noqa: S311 - which faults are drawn is no secret
    regions = ("primary", "failover")
    makers: tuple[Callable[[], Fault], ...] = (
        lambda: _lost(drawn.choice(regions), drawn.choice(("kill", "freeze", "cut"))),
        lambda: _failing(
            drawn.choice(actions.WHENS), drawn.choice((None, *regions)), drawn.choice((None, ANALYSIS.suffix))
        ),
        _throttled,
        lambda: _claude(drawn.choice(("overloaded", "server_error", "rate_limited", "spend_limit"))),
        lambda: _slack(drawn.choice(sorted(_OF_SLACK))),
        lambda: _denied(drawn.choice(regions)),
        _purged,
        _poisoned,
    )
    return [tuple(make() for make in drawn.sample(makers, 2)) for _ in range(PAIRS)]  # type: ignore[misc]  # two each
