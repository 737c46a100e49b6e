"""`responder local pulumi`: which stack it lets the Pulumi CLI have, and what it wants for that."""

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from ops.cli import app, main


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
