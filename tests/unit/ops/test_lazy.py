"""The command line imports what a command needs when it is called for."""

import subprocess
import sys

import pytest
import typer
from typer.main import get_command
from typer.testing import CliRunner

from ops.cli import app
from ops.lazy import lazy_group

HEAVY = ("pulumi", "duckdb", "sqlglot", "dns", "boto3", "aiohttp")


@pytest.mark.parametrize(
    ("words", "unneeded"),
    [
        ("", HEAVY),
        ("dr status", ("pulumi", "duckdb", "sqlglot")),
        ("parked list", ("pulumi", "duckdb", "sqlglot", "dns")),
        ("simulate", ("pulumi", "duckdb", "boto3", "aiohttp")),
    ],
)
def test_a_command_imports_only_what_it_needs(words: str, unneeded: tuple[str, ...]) -> None:
    """Asked of a fresh interpreter, by the modules that it has after the command was found."""
    program = (
        "import sys; from typer.main import get_command; from ops.cli import app\n"
        "command = get_command(app)\n"
        f"for word in {words.split()!r}: command = command.commands[word]\n"
        f"print([name for name in {unneeded!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_command_is_where_the_table_says() -> None:
    """With a help of its own, under the name that the table gives it."""

    def look(group: object, path: str) -> int:
        found = 0
        for name, command in group.commands.items():  # type: ignore[attr-defined]
            assert command.name == name
            assert command.help, f"{path} {name} says nothing of itself"
            found += look(command, f"{path} {name}") if hasattr(command, "commands") else 1
        return found

    assert look(get_command(app), "responder") > 25


def test_a_name_close_to_a_commands_is_told_the_right_one() -> None:
    """As an eager group does."""
    done = CliRunner().invoke(app, ["dr", "failovr"])
    assert done.exit_code == 2
    assert "failover" in done.output


def test_a_group_says_how_its_commands_ended() -> None:
    """Exit codes and options pass through."""

    def stop(code: int) -> None:
        """Stop."""
        raise typer.Exit(code)

    inner = typer.Typer()
    inner.command("stop")(stop)
    inner.command("halt")(stop)
    group = lazy_group("All", {"inner": inner})
    assert CliRunner().invoke(group, ["inner", "stop", "7"]).exit_code == 7


def test_the_help_of_a_group_reads_what_its_commands_say_and_imports_none() -> None:
    """The same texts as the commands' own, from a fresh interpreter that has none of their modules."""
    program = (
        "import sys; from typer.testing import CliRunner; from ops.cli import app\n"
        "shown = CliRunner().invoke(app, ['--help'], env={'COLUMNS': '400'}).output\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules]); print(shown)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    imported, _, shown = done.stdout.partition("\n")
    assert imported == "[]"
    for name, command in get_command(app).commands.items():  # type: ignore[attr-defined]  # a group
        first, _, _ = command.help.partition("\n")
        assert f"{name} " in shown
        assert first.rstrip(".") in shown, f"{name} is told of in other words than its own"
