"""The functions' packages of this machine, unpacked as Lambda has them, and an AWS beside them."""

import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

from lambda_packages import ROOT
from lambda_packages.build import HOST, build_packages
from topology.functions import FunctionSpec


def built() -> Mapping[FunctionSpec, Path]:
    """The zip of each function, built if its inputs changed."""
    return build_packages(HOST)


def megabytes(package: Path) -> float:
    """The size of a zip, in 1,000,000 bytes."""
    return package.stat().st_size / 1e6


def unpack(packages: Mapping[FunctionSpec, Path], folder: Path) -> Mapping[FunctionSpec, Path]:
    """Unpack each package in a folder of its own below `folder`."""
    places = {spec: folder / spec.key for spec in packages}
    for spec, package in packages.items():
        with zipfile.ZipFile(package) as archive:
            archive.extractall(places[spec])
    return places


@contextmanager
def canned_aws(delays_s: Mapping[str, float] | None = None) -> Iterator[str]:
    """The URL of an AWS that answers at little cost, in a process of its own for as long as this lasts.

    `delays_s`: how many seconds an answer takes, by service: dynamodb, sqs, secretsmanager, slack, claude.
    """
    server = subprocess.Popen(
        [sys.executable, "-m", "loadtests.isolated.canned_aws", json.dumps(delays_s or {})],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
        text=True,
    )
    try:
        port = cast("IO[str]", server.stdout).readline().strip()
        yield f"http://127.0.0.1:{port}"
    finally:
        server.kill()
        server.communicate()
