"""What was typed for the Pulumi CLI, as `responder local pulumi` reads it before anything is started."""

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import typer

from topology.names import LOCAL_STACK, STACKS

_STACK: Final = frozenset({"-s", "--stack"})
_WITH_VALUE: Final = frozenset({*_STACK, "--color", "--profiling", "--tracing", "-v", "--verbose"})
"""Options whose value is a word of its own, and that may stand before the command."""

_ELSEWHERE: Final = re.compile(r"--cwd\b|--config-file\b|-[defhijry]*C")
"""https://www.pulumi.com/docs/iac/cli/commands/pulumi/ ; short options may be written together."""

_NAMES_ITS_STACK: Final = ("init", "rm", "select")
"""Commands of `pulumi stack` that take the stack as a word of its own."""

_READS_CONFIG: Final = frozenset({"get"})

_WRITES: Final = (["new"], ["policy", "new"], ["package", "add"])

_FILES: Final = frozenset({"--file", "--import-file", "--out", "--plan", "--save-plan"})

_SAYS: Final = frozenset({"help", "version"})


def says_only(arguments: Sequence[str]) -> bool:
    """Whether the CLI only tells of itself, for which nothing has to run."""
    return not _SAYS.isdisjoint(_words(arguments)[:1]) or not {"-h", "--help", "--version"}.isdisjoint(
        arguments
    )


def check_words(arguments: Sequence[str]) -> None:
    """Check that the CLI stays in the folder that was made for it, and that nothing it is told gets lost.

    Raises:
        typer.BadParameter: it would write to this checkout, or to what the next call forgets.
    """
    words = _words(arguments)
    if elsewhere := next(filter(_ELSEWHERE.match, arguments), None):
        raise typer.BadParameter(
            f"{elsewhere}: the Pulumi CLI works in a folder of its own here; leave it out"
        )
    if any(words[: len(command)] == command for command in _WRITES):
        raise typer.BadParameter(
            f"`pulumi {' '.join(words[:2])}` writes files of a project; run the CLI itself in another folder"
        )
    if words[:1] == ["config"] and words[1:2] and words[1] not in _READS_CONFIG:
        raise typer.BadParameter(
            "each call reads Pulumi.<stack>.yaml of the checkout, so what `config` writes would be lost; "
            "give it to the call that needs it: -- up --config KEY=VALUE"
        )


def with_paths(arguments: Sequence[str], folder: Path) -> list[str]:
    """The arguments, with the files that they name as they are seen from `folder`."""
    seen: list[str] = []
    for word in arguments:
        flag, equals, value = word.partition("=")
        if equals and flag in _FILES:
            seen.append(f"{flag}={os.path.normpath(folder / value)}")
        else:
            seen.append(os.path.normpath(folder / word) if seen and seen[-1] in _FILES else word)
    return seen


def stack_of(arguments: Sequence[str], *, rehearsal: bool) -> str:
    """The stack that a command of the CLI is about; `local` where it names none.

    Raises:
        typer.BadParameter: it may not be made here, or not like this.
    """
    named = [""]
    for number, word in enumerate(arguments):
        flag, equals, value = word.partition("=")
        if flag in _STACK:
            named.append(value if equals else "".join(arguments[number + 1 : number + 2]))
    words = _words(arguments)
    if words[:1] == ["stack"] and words[1:2] and words[1] in _NAMES_ITS_STACK:
        named += words[2:3]
    stack = named[-1] or LOCAL_STACK
    if stack not in STACKS:
        raise typer.BadParameter(f"no stack {stack!r} here; there are {', '.join(STACKS)}")
    if rehearsal and stack == LOCAL_STACK:
        raise typer.BadParameter("--rehearsal is for another stack than local; name one: -- up -s prod")
    if stack != LOCAL_STACK and not rehearsal:
        raise typer.BadParameter(
            f"stack {stack} is not for the embedded AWS; to rehearse it there: "
            f"responder local pulumi --rehearsal -- {' '.join(arguments)}"
        )
    return stack


def _words(arguments: Sequence[str]) -> list[str]:
    """The command and what it is given, without options."""
    before = ["", *arguments]
    return [
        word
        for former, word in zip(before, arguments, strict=False)
        if not word.startswith("-") and former not in _WITH_VALUE
    ]
