"""The command line imports what a command needs when it is called for."""

import contextlib
import io
import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import typer
from typer.main import get_command
from typer.testing import CliRunner

from ops.cli import app
from ops.lazy import lazy_group

HEAVY = ("pulumi", "duckdb", "sqlglot", "dns", "boto3", "aiohttp")

WORKING = frozenset(
    {"audit", "boto3", "botocore", "chaos", "clients", "costs", "deploy", "dr", "duckdb", "emulator"}
    | {"handlers", "lambda_packages", "loadtests", "msgspec", "psutil", "pulumi", "runbook", "topology"}
    | {"urllib3", "yaml"}
)
"""Packages that commands work with."""


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


def _paths(group: Any, above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield above
    for name, command in getattr(group, "commands", {}).items():
        yield from _paths(command, (*above, name))


def _own_help(path: tuple[str, ...]) -> str:
    """What a command says of itself once it is imported."""
    command: Any = get_command(app)
    context = command.context_class(command, info_name="responder")
    for word in path:
        command = command.commands[word]
        context = command.context_class(command, info_name=word, parent=context)
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        command.get_help(context)
    return printed.getvalue()


def test_the_help_of_every_command_is_its_own_and_imports_nothing_it_works_with(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each `--help` of a fresh interpreter, held against the command that is imported here."""
    monkeypatch.setenv("COLUMNS", "400")
    paths = [*_paths(get_command(app))]
    program = (
        "import json, sys; from typer.testing import CliRunner; from ops.cli import app\n"
        "before = set(sys.modules)\n"
        "for path in json.load(sys.stdin):\n"
        "    shown = CliRunner().invoke(app, [*path, '--help'], prog_name='responder')\n"
        "    print(json.dumps([path, shown.output, sorted(set(sys.modules) - before)]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], input=json.dumps(paths), capture_output=True, text=True, check=True
    )
    helps = [json.loads(line) for line in done.stdout.splitlines()]
    assert [tuple(path) for path, _, _ in helps] == paths
    for path, shown, imported in helps:
        assert shown.strip() == _own_help(tuple(path)).strip(), (
            f"{' '.join(path)} is told of in other words than its own"
        )
        needless = {name for name in imported if name.partition(".")[0] in WORKING}
        assert not needless, f"{' '.join(path)} --help imports {needless}"


def test_a_help_that_is_an_options_value_is_none() -> None:
    """The command itself is called with it, and refuses it here."""
    done = CliRunner().invoke(app, ["why", "disk full", "--since", "--help"])
    assert done.exit_code == 2
    assert "'--help' is not a time" in " ".join(done.output.replace("│", " ").split())
