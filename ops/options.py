"""What several commands share: options that mean and say the same everywhere, and text for a terminal."""

import tempfile
from pathlib import Path
from typing import Annotated

import typer

RunDir = Annotated[Path, typer.Option(help="Folder of the local stack; another one is another stack.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for scripts instead of a table.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do it without asking.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")]


def check_writable(folder: Path, option: str) -> None:
    """Make the folder that `option` names for reports, and check that it can be written to.

    Raises:
        typer.BadParameter: it cannot.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise typer.BadParameter(
            f"{option}: no report can be written into {folder} ({error.strerror}); name another folder"
        ) from error


def printable(text: str) -> str:
    """Replace what would control the terminal by question marks: alert text is hostile."""
    return "".join(c if c.isprintable() else "?" for c in text)
