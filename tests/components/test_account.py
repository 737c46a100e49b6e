"""Where a deployment may go, asked of AWS itself before anything is registered or built."""

from collections.abc import Mapping
from pathlib import Path

import pulumi
import pytest

from tests.components.answers import Cloud
from tests.components.recorder import run_program, stack_file, stand_ins
from topology.names import EMBEDDED_ACCOUNT, PROJECT

OURS, OTHER = "123456789012", "210987654321"
EU_SOUTH = {"primaryRegion": "eu-south-1", "failoverRegion": "eu-south-2"}


def _refused(stack: str, cloud: Cloud, folder: Path, config: Mapping[str, str] | None = None) -> str:
    """What the refused deployment of a stack says."""
    keys = {f"{PROJECT}:{key}": value for key, value in (config or {}).items()}
    run = run_program(stack, stack_file(stack) | keys, stand_ins(folder), cloud)
    assert isinstance(run.error, pulumi.RunError)
    assert run.resources == []
    assert list(folder.iterdir()) == []
    assert "\n" not in str(run.error)
    return str(run.error)


@pytest.mark.parametrize("preview", [True, False], ids=["preview", "up"])
def test_the_local_stack_is_never_made_on_aws(tmp_path: Path, *, preview: bool) -> None:
    """With credentials in the environment it would be, and its alerts would go to a Slack that is none."""
    said = _refused("local", Cloud(OURS, preview=preview), tmp_path)
    assert f"stack local is for the embedded AWS, and this is account {OURS}" in said
    assert "responder local up" in said
    assert "responder local pulumi -- up -s local" in said


def test_without_an_embedded_aws_the_local_stack_says_how_to_get_one(tmp_path: Path) -> None:
    """The provider's own words name credentials, which are not what is missing."""
    said = _refused("local", Cloud(refusal="no valid credential sources found"), tmp_path)
    assert "no valid credential sources found" in said
    assert "run `responder local up`" in said


def test_without_credentials_nothing_is_registered(tmp_path: Path) -> None:
    """AWS's reason in one line, and how to see that it is over."""
    said = _refused("dev", Cloud(refusal="no valid credential\nsources found"), tmp_path)
    assert "failed: no valid credential sources found); log in" in said
    assert "aws sts get-caller-identity" in said


def test_another_account_than_the_expected_one_is_refused(tmp_path: Path) -> None:
    """Whoever deploys is often logged in to several; the stack's names would be free in the wrong one."""
    said = _refused("prod", Cloud(OTHER), tmp_path, {"expectedAccountId": OURS})
    assert f"the credentials are for account {OTHER}, and prod belongs in {OURS}" in said


def test_the_expected_account_is_taken(tmp_path: Path) -> None:
    """The stack's own account is no problem."""
    config = stack_file("prod") | {f"{PROJECT}:expectedAccountId": OURS}
    assert run_program("prod", config, stand_ins(tmp_path), Cloud(OURS)).error is None


def test_the_embedded_account_is_expected_of_nothing_but_the_local_stack(tmp_path: Path) -> None:
    """Another stack may be rehearsed there, unless it says where it belongs."""
    said = _refused("prod", Cloud(EMBEDDED_ACCOUNT), tmp_path, {"expectedAccountId": OURS})
    assert EMBEDDED_ACCOUNT in said


def test_a_region_that_is_not_enabled_is_named(tmp_path: Path) -> None:
    """Half a deployment would be in the other region by the time that AWS refuses."""
    cloud = Cloud(OURS, enabled=frozenset({"eu-south-1", "us-east-1"}))
    said = _refused("dev", cloud, tmp_path, EU_SOUTH)
    assert f"eu-south-2 is not enabled in account {OURS}" in said
    assert "aws account enable-region --region-name eu-south-2" in said


def test_who_may_not_ask_for_the_regions_is_told_what_to_allow(tmp_path: Path) -> None:
    """In one line, as of missing credentials, and with nothing registered."""
    cloud = Cloud(OURS, refused_call="getRegions", refusal="UnauthorizedOperation:\nnot authorized")
    said = _refused("dev", cloud, tmp_path, EU_SOUTH)
    assert f"AWS does not say which regions are enabled in account {OURS}" in said
    assert "UnauthorizedOperation: not authorized); let who deploys have ec2:DescribeRegions" in said


def test_regions_that_are_enabled_are_taken(tmp_path: Path) -> None:
    """And one that every account has is not asked for: that takes a permission more."""
    config = stack_file("dev") | {f"{PROJECT}:{key}": value for key, value in EU_SOUTH.items()}
    enabled = Cloud(enabled=frozenset(EU_SOUTH.values()))
    assert run_program("dev", config, stand_ins(tmp_path), enabled).error is None
    assert (
        run_program("dev", stack_file("dev"), stand_ins(tmp_path), Cloud(enabled=frozenset())).error is None
    )
