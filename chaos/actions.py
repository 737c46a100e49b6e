"""The actions, which change a stack: Chaos Toolkit calls them by the names in `experiments/*.yaml`.

Each takes the experiment's `configuration` (see `chaos.target.open_target`) and returns what it did, for the
journal. Regions are given by role, `primary` or `failover`. An action that cannot be done raises, and the
experiment then counts as failed.
"""

from collections.abc import Mapping
from typing import Any, Final

from chaos import queues
from chaos.load import new_load, start_load, stop_load
from chaos.target import LOSSES, ChaosRefusedError, open_target, region_of

Configuration = Mapping[str, Any]

WHENS: Final = ("before", "after")


def start_alerts(
    burst: int, per_s: float, configuration: Configuration, *, distinct_causes: bool = False
) -> dict[str, Any]:
    """Begin to post alerts to both regions: `burst` at once, then `per_s` a second until `stop_alerts`.

    `distinct_causes`: each needs an analysis of its own, where otherwise most come from the cache.
    """
    target = open_target(configuration)
    start_load(
        new_load(target.webhooks, target.receipts, burst=burst, per_s=per_s, distinct_causes=distinct_causes)
    )
    return {"burst": burst, "per_s": per_s}


def stop_alerts(configuration: Configuration) -> dict[str, Any]:
    """Stop posting, wait for every answer, and say how many alerts were accepted where.

    Raises:
        LoadFailedError: the load had died, or does not end.
    """
    tally = stop_load(open_target(configuration).receipts)
    if tally is None:
        return {"posted": 0}
    return {
        "posted": tally.posted,
        "accepted": dict(tally.accepted_by_region),
        "retries": tally.retries,
        "refused": {str(status): count for status, count in tally.refused.items()},
        "given_up": tally.given_up,
    }


def lose_region(region: str, how: str, configuration: Configuration) -> str:
    """Kill a region, freeze it, or cut it off from everything."""
    target = open_target(configuration)
    if how not in LOSSES:
        raise ChaosRefusedError(f"a region cannot be lost by {how!r}; there is {', '.join(LOSSES)}")
    name = region_of(target, region).region
    target.lose_region(name, how)
    return name


def start_regions(configuration: Configuration) -> list[str]:
    """Bring back every region that is lost; return which were."""
    return open_target(configuration).start_regions()


def fail_functions(
    percent: float,
    when: str,
    configuration: Configuration,
    region: str | None = None,
    function: str | None = None,
) -> str:
    """Have `percent` of the invocations fail: `before` the function runs, or `after` it did all it does."""
    target = open_target(configuration)
    if when not in WHENS:
        raise ChaosRefusedError(f"an invocation cannot fail {when!r}; there is {', '.join(WHENS)}")
    name = region_of(target, region).region if region else None
    target.fail_functions(percent=percent, after=when == "after", region=name, function=function)
    return f"{percent:g} % {when} execution"


def throttle_tables(percent: float, configuration: Configuration, region: str | None = None) -> str:
    """Have DynamoDB throttle `percent` of all calls."""
    target = open_target(configuration)
    target.throttle_tables(percent=percent, region=region_of(target, region).region if region else None)
    return f"{percent:g} % of calls"


def fail_claude(
    kind: str, configuration: Configuration, retry_after_s: int = 1, delay_s: float = 60.0
) -> str:
    """Have every call to Claude fail."""
    open_target(configuration).fail_claude(kind, retry_after_s=retry_after_s, delay_s=delay_s)
    return kind


def fail_slack(kind: str, configuration: Configuration, retry_after_s: int = 1) -> str:
    """Have every post to Slack fail."""
    open_target(configuration).fail_slack(kind, retry_after_s=retry_after_s)
    return kind


def end_faults(configuration: Configuration) -> None:
    """End every fault of functions, tables, Claude and Slack; a lost region stays lost."""
    open_target(configuration).end_faults()


def deny_queues(region: str, configuration: Configuration) -> list[str]:
    """Have nobody send to the region's work queues or receive from them."""
    target = open_target(configuration)
    endpoints = region_of(target, region)
    for url in queues.work_queues(endpoints):
        queues.deny(target, endpoints.region, url)
    return [endpoints.region, *queues.DENIED]


def allow_queues(configuration: Configuration) -> None:
    """Undo `deny_queues` in both regions; queues that are not denied stay as they are."""
    target = open_target(configuration)
    for endpoints in target.deployment.regions:
        for url in queues.work_queues(endpoints):
            queues.allow(target, endpoints.region, url)


def purge_queues(configuration: Configuration) -> dict[str, int]:
    """Purge every work queue of both regions; return how many messages each had just before."""
    target = open_target(configuration)
    purged = {}
    for endpoints in target.deployment.regions:
        for url in queues.work_queues(endpoints):
            count, name = queues.purge(target, endpoints.region, url), url.rpartition("/")[2]
            purged[f"{endpoints.region} {name}"] = count
            what = f"{count} messages of {name}"
            target.note_fault(service="sqs", kind="purged", region=endpoints.region, what=what)
    return purged


def poison_queues(count: int, configuration: Configuration) -> int:
    """Send `count` bodies that no worker can use to each work queue of both regions; return how many went."""
    target = open_target(configuration)
    sent = 0
    for endpoints in target.deployment.regions:
        for url in queues.work_queues(endpoints):
            taken = queues.poison(target, endpoints.region, url, count)
            what = f"{taken} bodies to {url.rpartition('/')[2]}"
            target.note_fault(service="sqs", kind="poison", region=endpoints.region, what=what)
            sent += taken
    return sent
