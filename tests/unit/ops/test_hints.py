"""A command that a message tells people to type acts on the stack that the message is about."""

from pathlib import Path

import pytest

from emulator.errors import NotRunningError
from ops.cli import main
from ops.hints import act_on, hinted
from ops.local import running
from topology.errors import ExplainedError

STATUS = "a failover is under way; see `responder dr status`, or say --take-over"


@pytest.mark.parametrize(
    ("option", "text", "said"),
    [
        ("", STATUS, STATUS),
        (
            "--run-dir /x",
            STATUS,
            "a failover is under way; see `responder dr status --run-dir /x`, or say --take-over",
        ),
        (
            "--outputs o.json",
            "`responder parked show a1` says why",
            "`responder parked show a1 --outputs o.json` says why",
        ),
        ("--outputs o.json", "start it with `responder local up`", "start it with `responder local up`"),
        ("--outputs o.json", "`responder dr drill --resume`", "`responder dr drill --resume`"),
        ("--run-dir /x", "`responder dr drill --resume`", "`responder dr drill --resume --run-dir /x`"),
        (
            "--run-dir /x",
            "`responder local pulumi -- up -s local`",
            "`responder local pulumi --run-dir /x -- up -s local`",
        ),
        ("--run-dir /x", "`responder dr status --run-dir /y`", "`responder dr status --run-dir /y`"),
        ("--run-dir /x", "`responder chaos list` has them", "`responder chaos list` has them"),
        (
            "--run-dir /x",
            "`responder dr failover`, then `responder audit`",
            "`responder dr failover --run-dir /x`, then `responder audit --run-dir /x`",
        ),
    ],
)
def test_a_hint_carries_the_option_that_chose_the_stack(option: str, text: str, said: str) -> None:
    """Where the command takes it, and has none yet."""
    act_on(option)
    assert hinted(text) == said


def test_an_error_from_below_the_command_line_is_about_the_stack_that_was_opened(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Which knows nothing of options."""

    def failover() -> None:
        with pytest.raises(NotRunningError):
            running.attach(tmp_path)
        raise ExplainedError(STATUS)

    with pytest.raises(SystemExit):
        main(failover)
    assert f"`responder dr status --run-dir {tmp_path}`" in capsys.readouterr().err
