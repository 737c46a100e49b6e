"""Where a stack was first deployed, kept in its own state, and the refusal to move its ledger from there."""

from collections.abc import Mapping
from typing import Final

import pulumi
from pulumi.runtime.sync_await import _sync_await  # plain invokes of the SDK wait by it; it has no other

from topology.config import StackConfig
from topology.errors import ExplainedError

STASH: Final = "ledger-home"
REFUSAL: Final = "the ledger of a deployed stack cannot move"
"""How the refusal begins, by which it is told from other failures."""


class LedgerMovedError(ExplainedError):
    """A deployed ledger would go to other regions or another account, or be of another consistency."""


def keep_ledger_home(config: StackConfig, account_id: str) -> pulumi.Resource:
    """Register where the ledger is, and wait for the engine to say where it was first deployed.

    A global table cannot be moved. Another failover region deletes a replica, another witness too, another
    consistency both; another primary region makes new, empty tables and deletes the old ones; in another
    account Pulumi finds none of its resources. Some of that is an update to Pulumi and some a replacement,
    whose hooks are told of one side only: `before_create` of what will be, `before_delete` of what was. So
    the stack compares with its own state: a `Stash` keeps the value of its first deployment until it is
    deleted, however often another is handed in. It is registered before anything else, in a preview as well;
    what holds the ledger is to depend on what this returns, so that it is deleted first. What a stash of an
    earlier release does not have is not compared.
    https://www.pulumi.com/docs/iac/concepts/stash/
    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/V2globaltables_HowItWorks.html

    Raises:
        LedgerMovedError: naming each key, what it was, what it would become and the way out.
    """
    asked = {**_home(config), "account": account_id}
    stash = pulumi.Stash(STASH, input=asked, opts=pulumi.ResourceOptions(protect=config.deletion_protection))
    first: Mapping[str, str] | None = _sync_await(stash.output.future())
    moved = [
        f"{key} was {first.get(key)!r} and would be {value!r}"
        for key, value in asked.items()
        if first and first.get(key, value) != value
    ]
    if moved:
        raise LedgerMovedError(
            f"{REFUSAL}, its rows would be lost: {'; '.join(moved)}; set "
            "that back, or log in to that account. If it has no rows yet: `pulumi destroy` (of a protected "
            "stack after `pulumi state unprotect --all`), then up. Else docs/disaster-recovery.md has how to "
            "move it, by `responder dr rebuild`"
        )
    return stash


def _home(config: StackConfig) -> Mapping[str, str]:
    """What decides where each replica of the ledger is, by configuration key."""
    return {
        "primaryRegion": config.primary_region,
        "failoverRegion": config.failover_region,
        "witnessRegion": config.witness_region,
        "ledgerConsistency": config.ledger_consistency,
    }
