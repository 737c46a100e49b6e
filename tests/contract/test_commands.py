"""What holds for every `responder` command, found by walking their tree: no command is forgotten."""

import inspect
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from ops.cli import app

WIDTH = 100

WRITTEN = {
    ("demo", "--report"): [],
    ("audit", "--problems"): [],
    ("local replay", "--receipts"): [],
    ("dr rebuild", "--folder"): ["--region", "eu-west-1"],
    ("dr compare", "--differences"): ["latest", "live"],
    ("dr drill", "--report"): [],
    ("dlq drop", "--to"): [],
    ("chaos run", "--reports"): ["--all"],
    ("simulate", "--report"): ["--seeds", "1"],
    ("simulate mutants", "--report"): ["--seeds", "1"],
    ("load", "--report"): ["steady"],
    ("load", "--html"): ["steady"],
    ("tune throughput", "--report"): [],
    ("tune prove", "--report"): [],
    ("cost measure", "--report"): [],
    ("deploy prove", "--report"): [],
    ("diagnose", "--bundle"): [],
    ("tune memory", "--report"): [],
    ("tune memory", "--samples"): [],
    ("tune samples", "--report"): [],
}
"""Every option that names what is written, with the words that its command needs besides."""

FOLDERS = {"--folder", "--reports", ("dr drill", "--report")}
"""Of these, the ones that name a folder."""

READ = {
    "--run-dir", "--outputs", "--anthropic-key-file", "--slack-webhook-file", "--receipts", "--folder",
    "--stream", "--slo", "--measured", "--file", "--sources", "--routes", "file",
}  # fmt: skip
"""Options that name what is read, or a stack's own folder, which `up` checks as such."""

NOT_READING = {
    "demo", "packages",
    "local up", "local pulumi", "local down", "local replay", "local break", "local start",
    "chaos run", "tune prove", "tune samples",
}  # fmt: skip
"""Commands that do something and read nothing for a script; those with a report write that as JSON."""


@dataclass(frozen=True)
class Command:
    """A command by its words, and Typer's description of it."""

    words: str
    typer: Any

    @property
    def options(self) -> list[str]:
        """Its options' names."""
        return [option.opts[0] for option in self.typer.params if option.opts[0].startswith("--")]

    @property
    def paths(self) -> list[str]:
        """Those of its options that are a path."""
        annotations = {
            option.opts[0]: option.type_descriptor.annotation
            for option in self.typer.params
            if getattr(option, "type_descriptor", None) is not None
        }
        return [
            name for name, kind in annotations.items() if inspect.isclass(kind) and issubclass(kind, Path)
        ]


def walk(group: Any, words: str = "") -> Iterator[Command]:
    """Every command, groups that do something by themselves included."""
    for name in list(group.commands):
        command, path = group.commands[name], f"{words} {name}".strip()
        if not hasattr(command, "commands"):
            yield Command(path, command)
            continue
        yield from walk(command, path)
        if any(option.opts[0] != "--help" for option in command.params):
            yield Command(path, command)


COMMANDS = sorted(walk(get_command(app)), key=lambda command: command.words)
GROUPS = sorted({command.words.rpartition(" ")[0] for command in COMMANDS} | {""})


def run(*words: str) -> Any:
    """A command as it is typed in a terminal of `WIDTH` columns."""
    return CliRunner().invoke(app, [*words], env={"COLUMNS": str(WIDTH)})


def test_the_walk_finds_the_commands() -> None:
    """So that no test here passes by finding nothing."""
    words = {command.words for command in COMMANDS}
    assert {"audit", "simulate", "simulate mutants", "dr failover", "chaos run"} <= words
    assert len(words) >= 29


@pytest.mark.parametrize("words", [*(command.words for command in COMMANDS), *GROUPS])
def test_help_fits_a_terminal_and_nothing_of_it_is_cut(words: str) -> None:
    """A hundred columns, and no ellipsis."""
    done = run(*words.split(), "--help")
    assert done.exit_code == 0
    assert max(map(len, done.output.splitlines())) <= WIDTH
    assert "…" not in done.output


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.words)
def test_a_command_that_reads_prints_json_for_scripts(command: Command) -> None:
    """All but those that are listed as doing something."""
    assert ("--json" in command.options) or command.words in NOT_READING


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.words)
def test_every_path_is_known_as_one_that_is_read_or_written(command: Command) -> None:
    """So that a new option is checked like the others."""
    for option in command.paths:
        assert (command.words, option) in WRITTEN or option in READ


@pytest.mark.parametrize(("words", "option"), sorted(WRITTEN))
def test_what_cannot_be_written_is_wrong_use_before_any_work(words: str, option: str, tmp_path: Path) -> None:
    """Exit 2, one sentence with the option, and no stack is asked: here none runs."""
    (tmp_path / "file").touch()
    unwritable = [tmp_path / "file" / "under" / "it", Path("/proc/nope/x")]
    if not {option, (words, option)} & FOLDERS:
        unwritable.append(tmp_path)
    run_dir = ["--run-dir", str(tmp_path / "no-stack")] if words in {"audit", "dr compare"} else []
    for path in unwritable:
        done = run(*words.split(), *WRITTEN[words, option], option, str(path), *run_dir)
        said = " ".join(done.output.replace("│", " ").split())
        assert done.exit_code == 2, (path, said)
        assert f"{option}: " in said
        assert "name a" in said


def test_no_command_makes_a_table_that_may_cut_what_one_has_to_copy() -> None:
    """Rich's own tables cut long words with an ellipsis; those of `ops.tables` do not."""
    root = Path(__file__).resolve().parents[2]
    direct = [path.name for path in root.glob("ops/**/*.py") if re.search(r"\bTable\(", path.read_text())]
    assert direct == ["tables.py"]


def test_a_command_that_asks_no_stack_needs_no_run_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another user's `.local/stack` is not readable; a copy of a bucket is checked without it."""
    copy, closed = tmp_path / "copy", tmp_path / "stack"
    copy.mkdir()
    closed.mkdir()
    access = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != closed and access(path, mode))
    words = ("dr", "check", "dynamodb-exports/2026-11-23/AWSDynamoDB/01-0badcafe")
    done = run(*words, "--folder", str(copy), "--run-dir", str(closed))
    assert done.exit_code == 1
    assert "findings" in done.output
