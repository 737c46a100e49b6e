"""What several commands share: options that mean and say the same everywhere, and text for a terminal."""

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated

import typer

from clients.output_files import DISK_ERRORS, UnwritableError, check_file, check_folder
from ops.hints import hinted
from topology.errors import ExplainedError

RunDir = Annotated[
    Path, typer.Option(readable=False, help="Folder of the local stack; another one is another stack.")
]
"""`readable=False`: not checked before it is asked for, since not every command asks for it."""

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for scripts instead of a table.")]
OnlyRegion = Annotated[str, typer.Option("--region", help="Only this region.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do it without asking.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")]


class UnprintedError(ExplainedError):
    """Standard output takes nothing more; the message has what was found in short."""


def check_writable(folder: Path, option: str) -> None:
    """Make the folder that `option` names for reports, and check that it can be written to.

    Raises:
        typer.BadParameter: it cannot.
    """
    with _refused(option):
        check_folder(folder)


def check_report(file: Path, option: str) -> None:
    """Check that the report that `option` names can be put into its folder, in the place of an earlier one.

    Raises:
        typer.BadParameter: it cannot.
    """
    with _refused(option):
        check_folder(file.parent)
        check_file(file)


def check_page(file: Path) -> None:
    """Check that the page that `--report` names can be written, and its JSON beside it.

    Raises:
        typer.BadParameter: one cannot, or both are one file.
    """
    if file.suffix == ".json":
        raise typer.BadParameter(f"--report: {file} is the page, with its JSON beside it; name a .html")
    check_report(file, "--report")
    check_report(file.with_suffix(".json"), "--report")


def check_writable_file(file: Path | None, option: str) -> None:
    """Check that the file that `option` names, if it is given, can be written.

    Raises:
        typer.BadParameter: it cannot.
    """
    if file is not None:
        with _refused(option):
            check_file(file)


@contextlib.contextmanager
def verdict_kept(verdict: str) -> Iterator[None]:
    """Have the verdict said on stderr where what prints it in full finds that nothing can be printed.

    Raises:
        UnprintedError: with the verdict.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in DISK_ERRORS or error.filename is not None:
            raise
        raise UnprintedError(
            f"the output cannot be written ({error.strerror}); in short: {verdict}. Send it elsewhere"
        ) from error


@contextlib.contextmanager
def _refused(option: str) -> Iterator[None]:
    try:
        yield
    except UnwritableError as error:
        raise typer.BadParameter(f"{option}: {error}") from error


def say_unknown(what: str, unread: Mapping[str, str]) -> None:
    """Say on stderr `what` was not read in which places, a line for each reason with the next step."""
    for why, places in by_problem(unread):
        text = f"{places}: unknown, {what} ({why}); next: `responder dr status`"
        typer.secho(hinted(text), fg="red", err=True)


def by_problem(problems: Mapping[str, str]) -> list[tuple[str, str]]:
    """Each problem once, printable, with all the places that have it."""
    found: dict[str, list[str]] = {}
    for place, why in problems.items():
        found.setdefault(printable(why), []).append(place)
    return [(why, ", ".join(places)) for why, places in found.items()]


def printable(text: str) -> str:
    """Replace what would control the terminal by question marks: alert text is hostile."""
    return "".join(c if c.isprintable() else "?" for c in text)


def printable_lines(text: str) -> str:
    """The same, line by line, for a place that has room for several."""
    return "\n".join(map(printable, text.splitlines()))
