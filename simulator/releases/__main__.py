"""`python -m simulator.releases`: archive this tree as the release that pyproject.toml names."""

import tomllib
from typing import Annotated

import typer

from simulator.releases.archive import ROOT, ReleaseError, archive_release


def main(
    *, replace: Annotated[bool, typer.Option("--replace", help="Make an archived one anew.")] = False
) -> None:
    """Archive the handlers of this release, to run beside those of later ones."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    try:
        path = archive_release(version, replace=replace)
    except ReleaseError as error:
        typer.secho(f"error: {error}", fg="red", err=True)
        raise typer.Exit(1) from error
    typer.echo(f"archived {path.relative_to(ROOT)}")


if __name__ == "__main__":
    typer.run(main)
