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
    """Make the folder that `option` names for reports, and write into it, before anything is started for one.

    Raises:
        typer.BadParameter: that cannot be done.
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
    """Alert text is hostile: what would steer the terminal is shown as a question mark."""
    return "".join(c if c.isprintable() else "?" for c in text)
