"""What `responder local status` tells people to type."""

import io
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from ops.local.status import LocalRegion, LocalStatus

EAST = LocalRegion("us-east-1", "primary", "running", "http://east/alerts", "key-east", "http://east/health")
WEST = replace(EAST, region="us-west-2", role="failover", webhook="http://west/alerts", api_key="key-west")


def shown(run_dir: Path, *regions: LocalRegion) -> str:
    """What a person sees of these regions."""
    status = LocalStatus(
        edge="http://edge", slack="http://slack", run_dir=str(run_dir), alerts_table="alerts",
        dns="127.0.0.1:53", name="alerts.responder.test", name_points_to="us-west-2", slack_messages=0,
        parked=1, memory_mb=1, regions=regions,
    )  # fmt: skip
    out = io.StringIO()
    status.show(Console(file=out))
    return out.getvalue()


def lost(region: LocalRegion) -> LocalRegion:
    """The region, killed."""
    return replace(region, state="killed", api_key=None)


def test_an_alert_to_try_goes_to_a_region_that_runs(tmp_path: Path) -> None:
    """With its key."""
    assert "Try      curl -X POST 'http://east/alerts'" in shown(tmp_path, EAST, WEST)
    without_east = shown(tmp_path, lost(EAST), WEST)
    assert "Try      curl -X POST 'http://west/alerts'" in without_east
    assert "x-api-key: key-west" in without_east


def test_nothing_is_to_be_tried_where_no_region_runs(tmp_path: Path) -> None:
    """No command that cannot work."""
    nowhere = shown(tmp_path, lost(EAST), lost(WEST))
    assert "curl" not in nowhere
    assert "None" not in nowhere


def test_every_command_names_the_stack_that_is_shown(tmp_path: Path) -> None:
    """Where it is not the usual one."""
    lines = [line for line in shown(tmp_path, EAST, WEST).splitlines() if "responder " in line]
    assert len(lines) == 4
    assert all(f"--run-dir {tmp_path}" in line for line in lines)
