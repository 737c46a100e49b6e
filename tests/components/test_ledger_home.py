"""A deployed ledger stays where it is: every change of its regions or its consistency is refused."""

from pathlib import Path

import pulumi
import pytest

from tests.components.answers import Cloud
from tests.components.recorder import ROOT, Run, run_program, stack_file, stand_ins
from topology.names import EMBEDDED_ACCOUNT, LOCAL_STACK, PROJECT, STACKS

HERE = {"primaryRegion": "us-east-1", "failoverRegion": "us-west-2"}
STRONG = {**HERE, "witnessRegion": "us-east-2", "ledgerConsistency": "strong"}
EVENTUAL = {**HERE, "witnessRegion": "", "ledgerConsistency": "eventual"}
FIRST = {"dev": EVENTUAL, "staging": STRONG, "prod": STRONG, "local": STRONG, "trial": STRONG}

SWAPPED = {"primaryRegion": "us-west-2", "failoverRegion": "us-east-1"}
THIRD = {"failoverRegion": "us-east-2", "witnessRegion": "us-west-2"}
MOVES = [
    pytest.param(stack, change, id=f"{stack}: {', '.join(f'{k}={v}' for k, v in change.items())}")
    for stack in STACKS
    for change in (
        SWAPPED,
        {"failoverRegion": "us-west-1"} if stack == "dev" else THIRD,
        STRONG if stack == "dev" else EVENTUAL,
        (STRONG if stack == "dev" else EVENTUAL) | SWAPPED,
        {"primaryRegion": "eu-west-1", "failoverRegion": "eu-west-2"}
        | ({} if stack == "dev" else {"witnessRegion": "eu-central-1"}),
    )
] + [pytest.param("prod", {"primaryRegion": "us-east-2", "witnessRegion": "us-east-1"}, id="prod: witness")]


def _deploy_again(stack: str, change: dict[str, str], folder: Path, *, preview: bool) -> Run:
    """Run the program for a stack that was deployed by its file, with a changed configuration."""
    config = stack_file(stack) | {f"{PROJECT}:{key}": value for key, value in change.items()}
    cloud = Cloud(ledger_home=FIRST[stack], preview=preview)
    return run_program(stack, config, stand_ins(folder), cloud)


@pytest.mark.parametrize("preview", [True, False], ids=["preview", "up"])
@pytest.mark.parametrize(("stack", "change"), MOVES)
def test_a_deployed_ledger_does_not_move(
    stack: str, change: dict[str, str], tmp_path: Path, *, preview: bool
) -> None:
    """Whether Pulumi would update or replace its tables: each key is told, and nothing else is registered."""
    run = _deploy_again(stack, change, tmp_path, preview=preview)
    assert isinstance(run.error, pulumi.RunError)
    assert "the ledger of a deployed stack cannot move, its rows would be lost: " in str(run.error)
    for key, value in change.items():
        told = f"{key} was {FIRST[stack][key]!r} and would be {value!r}"
        assert (told in str(run.error)) is (FIRST[stack][key] != value)
    assert "; set that back" in str(run.error)
    assert [resource.type for resource in run.resources] == ["pulumi:index:Stash"]


def test_a_refused_move_says_what_can_be_done(tmp_path: Path) -> None:
    """A first deployment that broke off before its tables is refused too: it can be taken down."""
    said = str(_deploy_again("prod", THIRD, tmp_path, preview=True).error)
    assert "\n" not in said
    for step in ("set that back", "`pulumi state unprotect --all`), then up", "`responder dr rebuild`"):
        assert step in said
    assert (ROOT / "docs/disaster-recovery.md").exists()
    assert "docs/disaster-recovery.md" in said


@pytest.mark.parametrize("stack", [stack for stack in STACKS if stack != LOCAL_STACK])
def test_a_deployed_stack_stays_in_its_account(stack: str, tmp_path: Path) -> None:
    """With no setting, and before its packages are built; whoever is logged in to another one is told."""
    first = FIRST[stack] | {"account": "123456789012"}
    for account, refused in (("210987654321", True), ("123456789012", False)):
        folder = tmp_path / account
        folder.mkdir()
        run = run_program(stack, stack_file(stack), stand_ins(folder), Cloud(account, ledger_home=first))
        assert isinstance(run.error, pulumi.RunError if refused else type(None))
        if refused:
            assert "account was '123456789012' and would be '210987654321'; set that back, or log in" in str(
                run.error
            )
            assert [*folder.iterdir()] == []


@pytest.mark.parametrize("stack", STACKS)
def test_other_changes_of_a_deployed_stack_go_through(stack: str, tmp_path: Path) -> None:
    """The refusal is about the ledger's place alone."""
    run = _deploy_again(stack, {"leaseS": "60", "logRetentionDays": "60"}, tmp_path, preview=False)
    assert run.error is None


def test_where_the_ledger_is_stays_known_as_long_as_the_ledger(run: Run) -> None:
    """What is compared with comes first, is deleted after the tables, and is as protected as they are."""
    [stash] = [resource for resource in run.resources if resource.type == "pulumi:index:Stash"]
    assert run.resources[0] == stash
    assert stash.inputs["input"] == FIRST[run.outputs["Stack"]] | {"account": EMBEDDED_ACCOUNT}
    tables = run.of("dynamodb/table:Table")
    assert len(tables) == 3
    for table in tables:
        assert stash.urn in table.depends_on
        assert stash.protect is table.protect
