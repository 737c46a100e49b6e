"""Every `responder` command that a document tells people to type exists, with its options."""

import itertools
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer.main

from ops.cli import app

ROOT = Path(__file__).resolve().parents[3]
DOCUMENTS = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/*.md"), *ROOT.glob("*/README.md"))
COMMAND = re.compile(r"(?:^|`)(?:\.venv/bin/)?(responder [^`#\n]*)", re.MULTILINE)


def documented() -> Iterator[tuple[str, str]]:
    """The document and the command; lists of alternatives such as `local up | down` are one for each."""
    for document in DOCUMENTS:
        for found in COMMAND.findall(document.read_text(encoding="utf-8")):
            first, *others = [part.strip() for part in found.split(" | ")]
            yield document.name, first
            for other in others:
                yield document.name, f"{first.rpartition(' ')[0]} {other}"


@pytest.mark.parametrize(("document", "line"), sorted(set(documented())))
def test_documented_command_exists(document: str, line: str) -> None:
    """Each word up to the first argument is a command, and each option before `--` is one of its."""
    command, seen = typer.main.get_command(app), "responder"
    words = list(itertools.takewhile(lambda word: word != "--", shlex.split(line)[1:]))
    while words and words[0] in getattr(command, "commands", {}):
        command, seen = command.commands[words[0]], f"{seen} {words[0]}"  # type: ignore[attr-defined]  # a group
        words.pop(0)
    assert not (getattr(command, "commands", {}) and words and words[0].isalpha() and words[0].islower()), (
        f"{document}: {words[0]!r} is no command of {seen!r}"
    )
    known = {"--help"} | {name for one in command.params for name in (*one.opts, *one.secondary_opts)}
    unknown = [word for word in words if word.startswith("--") and word.partition("=")[0] not in known]
    assert not unknown, f"{document}: {seen} has no {unknown}"


def test_the_documents_are_looked_at() -> None:
    """The pattern finds what is there, so that the test above cannot pass by finding nothing."""
    lines = [line for _, line in documented()]
    assert "responder local up" in lines
    assert any(line.startswith("responder dr failover") for line in lines)
    assert len(lines) > 30


def commands(group: object, words: tuple[str, ...] = ()) -> Iterator[str]:
    """Every command by its words, those of groups among groups."""
    for name, command in group.commands.items():  # type: ignore[attr-defined]  # a group
        if hasattr(command, "commands"):
            yield from commands(command, (*words, name))
        else:
            yield " ".join((*words, name))


@pytest.mark.parametrize("words", [*commands(typer.main.get_command(app))])
def test_every_command_is_in_the_runbook(words: str) -> None:
    """Under the section of its procedure, or in the table at its end; a table names a group once."""
    text = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
    assert re.search(rf"(?:responder |`){re.escape(words)}(?![a-z-])", text), (
        f"docs/runbook.md has no {words}"
    )


def test_anchors_that_checks_and_documents_name_are_sections() -> None:
    """`docs/NAME.md#anchor`, in the code or in a document, leads to a heading of that document."""
    sources = [
        path
        for name in ("clients", "deploy", "ops", "runbook", "topology")
        for path in (ROOT / name).rglob("*.py")
    ]
    found = {
        anchor
        for path in (*sources, *DOCUMENTS)
        for anchor in re.findall(r"docs/([a-z-]+\.md)#([a-z0-9-]+)", path.read_text(encoding="utf-8"))
    }
    assert found
    for document, anchor in sorted(found):
        headings = re.findall(
            r"^#+ (.+)$", (ROOT / "docs" / document).read_text(encoding="utf-8"), re.MULTILINE
        )
        anchors = {re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-") for heading in headings}
        assert anchor in anchors, f"docs/{document} has no section {anchor}"
