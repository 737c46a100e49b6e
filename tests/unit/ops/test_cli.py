"""How the command line ends when it is interrupted."""

from collections.abc import Callable

import pytest
import typer

from clients.interrupts import INTERRUPTED_CODE
from ops.cli import main
from ops.lazy import lazy_group
from tests.fakes.aws_refusals import refusal


def interrupted() -> None:
    """Be interrupted."""
    raise KeyboardInterrupt


def cleaned_up() -> None:
    """Be interrupted, and know what is left."""
    raise KeyboardInterrupt("nothing is left running")


def explained() -> None:
    """Say by itself how it was interrupted."""
    typer.echo("rolled back", err=True)
    raise typer.Exit(INTERRUPTED_CODE)


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (interrupted, "interrupted; run it again to go on\n"),
        (cleaned_up, "interrupted: nothing is left running\n"),
        (explained, "rolled back\n"),
    ],
)
def test_an_interrupted_command_says_so_in_one_line(
    command: Callable[[], None], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """With a shell's exit code for Ctrl-C."""
    inner = typer.Typer()
    inner.command("one")(command)
    inner.command("other")(command)
    group = lazy_group("All", {"inner": inner})
    with pytest.raises(SystemExit) as ended:
        main(lambda: group(["inner", "one"]))
    assert ended.value.code == INTERRUPTED_CODE
    assert capsys.readouterr().err == says


def test_wrong_use_is_no_interruption(capsys: pytest.CaptureFixture[str]) -> None:
    """Typer's own words and exit code 2."""
    with pytest.raises(SystemExit) as ended:
        main(lambda: lazy_group("All", {})(["nonsense"]))
    assert ended.value.code == 2
    assert "interrupted" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("code", "step"),
    [
        ("ThrottlingException", "`responder dr status` says"),
        ("AccessDeniedException", "put it right, then run"),
    ],
)
def test_what_aws_refuses_in_the_midst_of_a_command_is_one_line(
    capsys: pytest.CaptureFixture[str], code: str, step: str
) -> None:
    """As when it throttles one of many writes; with the next step, and no traceback."""

    def refused() -> None:
        raise refusal(code)

    with pytest.raises(SystemExit) as ended:
        main(refused)
    assert ended.value.code == 1
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: An error occurred ({code})")
    assert step in line
