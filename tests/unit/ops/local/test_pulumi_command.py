"""`responder local pulumi`: which stack it lets the Pulumi CLI have, and what it wants for that."""

import os
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from ops.cli import app, main
from ops.local.pulumi_words import check_words, stack_of, with_paths


def run(*words: str, tmp_path: Path) -> Any:
    """The command, as typed where no embedded AWS runs."""
    return CliRunner().invoke(app, ["local", "pulumi", "--run-dir", str(tmp_path / "stack"), *words])


def said_by(done: Any) -> str:
    """What was printed, without the frame of an error."""
    return " ".join(done.output.replace("│", " ").split())


@pytest.mark.parametrize(
    "words",
    [
        ("up", "-s", "prod"),
        ("up", "--stack", "prod"),
        ("up", "--stack=prod"),
        ("-s=prod", "destroy"),
        ("preview", "-s", "local", "-s", "prod"),
        ("stack", "rm", "prod"),
        ("stack", "init", "prod"),
    ],
)
def test_a_stack_of_aws_is_made_here_only_when_that_is_asked_for(
    words: tuple[str, ...], tmp_path: Path
) -> None:
    """However it is named; the message has the command that rehearses it, and nothing is started."""
    done = run("--", *words, tmp_path=tmp_path)
    said = said_by(done)
    assert done.exit_code == 2
    assert "stack prod is not for the embedded AWS" in said
    assert f"--rehearsal -- {' '.join(words)}" in said
    assert not (tmp_path / "stack").exists()


def test_a_rehearsal_names_its_stack(tmp_path: Path) -> None:
    """The local one needs none."""
    for words in (("--rehearsal", "--", "up"), ("--rehearsal", "--", "up", "-s", "local")):
        done = run(*words, tmp_path=tmp_path)
        assert done.exit_code == 2
        assert "name one" in done.output


def test_a_stack_without_a_configuration_is_wrong_use(tmp_path: Path) -> None:
    """The message has those that there are."""
    done = run("--rehearsal", "--", "up", "-s", "production", tmp_path=tmp_path)
    assert done.exit_code == 2
    assert "dev, staging, prod, local" in said_by(done)


@pytest.mark.parametrize(
    "words",
    [("up", "-s", "prod"), ("-s", "prod", "up"), ("up", "--yes", "--stack=prod"), ("-y", "-sprod", "up")],
)
def test_the_dashes_may_be_forgotten(words: tuple[str, ...], tmp_path: Path) -> None:
    """The CLI's words are the CLI's without them too."""
    without, with_them = (said_by(run(*typed, tmp_path=tmp_path)) for typed in (words, ("--", *words)))
    assert without == with_them
    assert "No such option" not in without


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("new", "aws-python", "--force"), "writes files of a project"),
        (("--yes", "new"), "writes files of a project"),
        (("policy", "new", "aws-python"), "writes files of a project"),
        (("-C", "/elsewhere", "up"), "leave it out"),
        (("up", "-yC/elsewhere"), "leave it out"),
        (("up", "--cwd=/elsewhere"), "leave it out"),
        (("up", "--config-file", "mine.yaml"), "leave it out"),
        (("config", "set", "owner", "me"), "-- up --config KEY=VALUE"),
        (("-s", "local", "config", "--yes", "set-all"), "-- up --config KEY=VALUE"),
        (("config", "rm", "owner"), "-- up --config KEY=VALUE"),
    ],
)
def test_what_would_leave_the_copy_or_be_lost_is_refused(
    words: tuple[str, ...], said: str, tmp_path: Path
) -> None:
    """With what to do instead, and before anything is started."""
    done = run("--", *words, tmp_path=tmp_path)
    assert done.exit_code == 2
    assert said in said_by(done)
    assert not (tmp_path / "stack").exists()


@pytest.mark.parametrize(
    "words",
    [
        ("config",),
        ("config", "get", "owner"),
        ("up", "--message", "new", "-c", "owner=me", "--config", "set=1"),
        ("stack", "rm", "-s", "local"),
    ],
)
def test_what_only_reads_or_holds_for_one_call_goes_to_the_cli(words: tuple[str, ...]) -> None:
    """None of them is taken for another."""
    check_words(words)
    assert stack_of(words, rehearsal=False) == "local"


def test_a_file_is_where_the_person_is() -> None:
    """And not in the folder in which the CLI runs; other words are as they were typed."""
    words = ["stack", "export", "--file", "out.json", "--plan=../plan.json", "--policy-pack", "policy"]
    assert with_paths(words, Path("/home/me/work")) == [
        "stack",
        "export",
        "--file",
        "/home/me/work/out.json",
        "--plan=/home/me/plan.json",
        "--policy-pack",
        "policy",
    ]
    assert (
        with_paths(["stack", "import", "--file", "/else/where.json"], Path("/home"))[-1] == "/else/where.json"
    )


@pytest.mark.parametrize("words", [("version",), ("help", "up"), ("up", "--help"), ("--version",)])
def test_what_the_cli_says_of_itself_starts_nothing(
    words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The exit code is the CLI's."""
    cli = tmp_path / "pulumi"
    cli.write_text('#!/bin/sh\necho "told $*"\nexit 3\n')
    cli.chmod(0o700)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert run("--", *words, tmp_path=tmp_path).exit_code == 3
    assert capfd.readouterr().out == f"told {' '.join(words)}\n"
    assert not (tmp_path / "stack").exists()


def test_the_help_breaks_no_line_of_its_own() -> None:
    """Lines are as long as the terminal, whatever the source's are."""
    local: Any = get_command(app).commands["local"]  # type: ignore[attr-defined]  # a group, by `lazy_group`
    first, *others = local.commands["pulumi"].help.split("\n\n")
    assert "\n" not in first
    assert [paragraph for paragraph in others if "\n" in paragraph] == []
    assert others[-1].endswith("Exits as the CLI does.")


def test_without_the_cli_it_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line, and what does without."""
    monkeypatch.setenv("PATH", str(tmp_path))
    words = ["local", "pulumi", "--run-dir", str(tmp_path / "stack"), "--", "up"]
    with pytest.raises(SystemExit) as ended:
        main(lambda: app(words, standalone_mode=False))
    assert ended.value.code == 1
    said = capsys.readouterr().err
    assert "https://www.pulumi.com/docs/install/" in said
    assert "responder local up" in said
    assert not (tmp_path / "stack").exists()
