"""`responder packages`: the Lambda packages, built."""

from typing import Annotated

import typer

from lambda_packages.build import HOST, LAMBDA, build_packages


def packages(
    *, host: Annotated[bool, typer.Option("--host", help="For this machine instead of Lambda.")] = False
) -> None:
    """Build the Lambda packages (arm64, as on AWS) and say where they are."""
    for spec, path in build_packages(HOST if host else LAMBDA).items():
        typer.echo(f"{spec.suffix:24} {path.stat().st_size / 1e6:6.2f} MB  {path}")
