"""What Pulumi does not let go, in every stack."""

from collections.abc import Callable

import pytest

from tests.components.recorder import Run, stack_file
from topology.names import PROJECT, STACKS
from topology.protection import IRREPLACEABLE


@pytest.mark.parametrize("stack", [*STACKS, "every option"])
def test_what_cannot_be_made_again_is_kept_where_deletions_are_refused(
    stack: str, run_of: Callable[[str], Run], optioned: Run
) -> None:
    """All of it in production, and nothing else there; a stack that may be torn down goes whole."""
    run = optioned if stack == "every option" else run_of(stack)
    asked = stack_file(run.outputs["Stack"])[f"{PROJECT}:deletionProtection"] == "true"
    kept = {resource.urn for resource in run.resources if resource.protect}
    assert kept == {r.urn for r in run.resources if asked and r.type in IRREPLACEABLE}
    assert bool(kept) is (run.outputs["Stack"] in {"prod", "trial"})


def test_everything_that_is_kept_is_something_that_a_stack_has(optioned: Run) -> None:
    """A type that is misspelt or gone would protect nothing."""
    assert IRREPLACEABLE.keys() <= {resource.type for resource in optioned.resources}
