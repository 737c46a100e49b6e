"""Where a stack's ledger was first deployed, kept in the stack's own state, and the refusal to move it."""

from collections.abc import Mapping
from typing import Final

import pulumi
from pulumi.runtime.sync_await import _sync_await  # plain invokes of the SDK wait by it; it has no other

from topology.config import StackConfig
from topology.errors import ExplainedError

STASH: Final = "ledger-home"


class LedgerMovedError(ExplainedError):
    """The configuration asks for a deployed ledger in other regions, or of another consistency."""


def keep_ledger_home(config: StackConfig) -> None:
    """Register where the ledger is, and wait for the engine to say where it was first deployed.

    A global table cannot be moved. Another failover region deletes a replica, another witness too, another
    consistency both; another primary region makes new, empty tables and deletes the old ones. Some of that is
    an update to Pulumi and some a replacement, whose hooks are told of one side only: `before_create` of what
    will be, `before_delete` of what was. So the stack compares with its own state: a `Stash` keeps the value
    of its first deployment until it is deleted, however often another is handed in. It is registered before
    anything else, in a preview as well.
    https://www.pulumi.com/docs/iac/concepts/stash/
    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/V2globaltables_HowItWorks.html

    Raises:
        LedgerMovedError: naming each key, what it was, what it would become and the way out.
    """
    asked = _home(config)
    stash = pulumi.Stash(STASH, input=asked, opts=pulumi.ResourceOptions(protect=config.deletion_protection))
    first: Mapping[str, str] | None = _sync_await(stash.output.future())
    moved = [
        f"{key} was {first.get(key)!r} and would be {value!r}"
        for key, value in asked.items()
        if first and first.get(key) != value
    ]
    if moved:
        raise LedgerMovedError(
            f"the ledger of a deployed stack cannot move, its rows would be deleted: {'; '.join(moved)}; set "
            "that back, or deploy a new stack and move the alerts there"
        )


def _home(config: StackConfig) -> Mapping[str, str]:
    """What decides where each replica of the ledger is, by configuration key."""
    return {
        "primaryRegion": config.primary_region,
        "failoverRegion": config.failover_region,
        "witnessRegion": config.witness_region,
        "ledgerConsistency": config.ledger_consistency,
    }
