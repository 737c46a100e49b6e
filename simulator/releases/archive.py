"""A release as a zip beside this module: the sources of its handlers, and how the simulator drives them.

It is made at each release and not touched afterwards: an archive, no copy to be kept in step. The loaded
modules are this process's own second set, under the names that today's have, so nothing of the one release
is an instance of a class of the other.
"""

import sys
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module, invalidate_caches
from pathlib import Path
from typing import Final

from simulator.releases.release import Release
from topology.errors import ExplainedError

FOLDER: Final = Path(__file__).parent
ROOT: Final = FOLDER.parents[1]

PACKAGES: Final = ("handlers", "topology")
"""Archived whole."""

DRIVERS: Final = {"wiring": "simulator/wiring.py", "adapters": "simulator/releases/adapters.py"}
"""Archived beside them under these names, since they follow the constructors of their release."""

_EPOCH: Final = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a zip entry can carry: a real one would change the bytes each time."""

_MODE: Final = 0o644 << 16
_LOCK: Final = threading.Lock()


class ReleaseError(ExplainedError):
    """There is no such release, or it is archived already."""


def archive_release(version: str, *, folder: Path = FOLDER, replace: bool = False) -> Path:
    """Archive this tree as the release `version`. The same sources always make the same bytes.

    Raises:
        ReleaseError: it is archived already, and `replace` does not say that it is to be made anew.
    """
    path = folder / f"{version}.zip"
    if path.exists() and not replace:
        raise ReleaseError(
            f"release {version} is archived already; raise the version in pyproject.toml, "
            "or say --replace if it was never deployed"
        )
    sources = {
        str(source.relative_to(ROOT)): source
        for package in PACKAGES
        for source in sorted((ROOT / package).rglob("*.py"))
    }
    sources |= {f"{name}.py": ROOT / source for name, source in DRIVERS.items()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as target:  # Git compresses it, the same everywhere
        for name, source in sorted(sources.items()):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.external_attr = _MODE
            target.writestr(entry, source.read_bytes())
    return path


def last_release() -> str:
    """The version of the newest release in the archive.

    Raises:
        ReleaseError: there is none.
    """
    versions = sorted((tuple(map(int, path.stem.split("."))) for path in FOLDER.glob("*.zip")), reverse=True)
    if not versions:
        raise ReleaseError(f"no release is archived in {FOLDER}; make one with `make release-snapshot`")
    return ".".join(map(str, versions[0]))


@cache
def load(version: str) -> Release:
    """The archived release, loaded once in a process.

    Raises:
        ReleaseError: there is none of this version.
    """
    path = FOLDER / f"{version}.zip"
    if not path.exists():
        raise ReleaseError(f"release {version} is not archived; those that are: {_archived()}")
    with _LOCK, _private_modules(path):
        wiring, adapters = (import_module(name) for name in DRIVERS)
    return Release(name=version, wiring=wiring, adapters=adapters)


@contextmanager
def _private_modules(path: Path) -> Iterator[None]:
    """While this lasts, the archive's modules are imported, and today's are put aside.

    The drivers import all that a release needs at once, so nothing is left to be imported afterwards.
    """
    today = {name: module for name, module in sys.modules.items() if _is_archived(name)}
    for name in today:
        del sys.modules[name]
    sys.path.insert(0, str(path))
    try:
        yield
    finally:
        sys.path.remove(str(path))
        for name in [name for name in sys.modules if _is_archived(name)]:
            del sys.modules[name]
        sys.modules.update(today)
        invalidate_caches()


def _is_archived(module: str) -> bool:
    return module.partition(".")[0] in (*PACKAGES, *DRIVERS)


def _archived() -> str:
    return ", ".join(sorted(path.stem for path in FOLDER.glob("*.zip"))) or "none"
