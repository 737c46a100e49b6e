"""Options that several commands share: a report that cannot be written is refused before the work."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from ops.cli import app


@pytest.mark.parametrize(
    ("command", "option"),
    [
        (["demo"], "--report"),
        (["tune", "throughput"], "--report"),
        (["tune", "prove"], "--report"),
        (["load", "steady"], "--report"),
        (["chaos", "run", "--all"], "--reports"),
        (["dr", "drill"], "--report"),
    ],
)
def test_a_report_that_cannot_be_written_is_wrong_use_and_nothing_is_started(
    tmp_path: Path, command: list[str], option: str
) -> None:
    """Its folder is named with the option."""
    (tmp_path / "file").touch()
    done = CliRunner().invoke(app, [*command, option, str(tmp_path / "file" / "under" / "it")])
    assert done.exit_code == 2
    assert f"{option}: no report can be written into" in " ".join(done.output.replace("│", " ").split())
