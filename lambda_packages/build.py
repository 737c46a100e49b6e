"""The Lambda packages: one reproducible zip a function, with only what that function needs.

The Pulumi program uploads them, and disaster recovery keeps copies. The same code builds for Lambda
(arm64, Python 3.13) and for the interpreter that runs the embedded AWS. A package's file name ends in
the digest of its inputs, so an unchanged function is neither built nor deployed again.
"""

import ast
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lambda_packages import ROOT
from lambda_packages.service_models import prune_service_models
from topology.backups import LATEST, package_key
from topology.errors import ExplainedError
from topology.functions import FUNCTIONS, LAMBDA_ARCHITECTURE, LAMBDA_RUNTIME, FunctionSpec
from topology.names import LOCAL_STACK

BUILD: Final = ROOT / "build" / "packages"
RECIPE: Final = 5
"""Part of every digest: raise it when the way a package is made changes."""

ZIP_EPOCH: Final = (1980, 1, 1, 0, 0, 0)
"""The earliest time a zip entry can carry; a real one would change the bytes of every build."""

OURS: Final = ("handlers", "topology")
"""Of our packages, those that a function may import."""

_NOT_SHIPPED: Final = (
    "bin",
    ".lock",
    "**/__pycache__",
    "**/*.pyi",
    "**/py.typed",
    "*.dist-info/RECORD",
    "*.dist-info/INSTALLER",
    "*.dist-info/REQUESTED",
    "*.dist-info/direct_url.json",
    "*.dist-info/sboms",
)
"""Installer records, which differ from run to run, lists of what was compiled in, what type checkers read."""

_NEVER_LOADED: Final = {
    "anyio": ("anyio/pytest_plugin.py", "anyio/_backends/_trio.py"),
    "dateutil": (
        "dateutil/zoneinfo/*.tar.gz",
        "dateutil/rrule.py",
    ),  # zones and calendars: AWS's times are UTC
    "httpx2": ("httpx2/_main.py",),  # its command line, which it does without
    "pydantic": ("pydantic/v1", "pydantic/mypy.py", "pydantic/color.py", "pydantic/experimental/pipeline.py"),
    "urllib3": ("urllib3/contrib/emscripten",),
    # Of the SDK only the blocks are used. Its `__init__` would load the clients, for names that nobody takes
    # from there; without it the folder is a namespace package.
    "slack_sdk": (
        "slack",
        "slack_sdk/__init__.py",
        *(f"slack_sdk/{part}" for part in ("audit_logs", "http_retry", "oauth", "rtm", "rtm_v2", "scim")),
        *(f"slack_sdk/{part}" for part in ("signature", "socket_mode", "web", "webhook")),
    ),
}
"""By package, what no handler loads. Each pattern has to match: one that matches nothing fails the build."""

UV_TIMEOUT_S: Final = 180
COMPILE_TIMEOUT_S: Final = 300


class PackageError(ExplainedError):
    """A package is not to be had: a tool, a wheel or a kept zip is missing, or a source does not compile."""


@dataclass(frozen=True)
class Target:
    """What a package runs on: `python` is "3.13", `platform` a uv platform tag or None for this machine."""

    name: str
    python: str
    platform: str | None

    def interpreter(self) -> str:
        """The Python that compiles this target's byte code.

        Raises:
            PackageError: no such Python is installed here.
        """
        if self.platform is None:
            return sys.executable
        found = subprocess.run(
            [_uv(), "python", "find", "--no-python-downloads", self.python],
            env={**os.environ, "PYENV_VERSION": self.python},  # pyenv's shims answer only when told a version
            capture_output=True,
            text=True,
            timeout=UV_TIMEOUT_S,
            check=False,
        )
        if found.returncode != 0:
            raise PackageError(
                f"packages for Lambda need Python {self.python}: cold starts triple without its byte code, "
                f"and none was found; install python{self.python} and put it on PATH"
            )
        return found.stdout.strip()


LAMBDA: Final = Target(
    f"lambda-{LAMBDA_ARCHITECTURE}", LAMBDA_RUNTIME.removeprefix("python"), "aarch64-manylinux2014"
)
HOST: Final = Target(
    f"host-{sys.implementation.cache_tag}", f"{sys.version_info.major}.{sys.version_info.minor}", None
)
"""The embedded AWS ignores a function's runtime and uses the interpreter that it runs on itself."""


def target_of(stack: str) -> Target:
    """What the functions of `stack` run on."""
    return HOST if stack == LOCAL_STACK else LAMBDA


OnBuild = Callable[[FunctionSpec, Target], None]
"""Told of each package before it is built, which takes tens of seconds."""


def build_packages(target: Target, *, on_build: OnBuild = lambda *_: None) -> Mapping[FunctionSpec, Path]:
    """The package of every function for `target`, building those whose inputs changed.

    Raises:
        PackageError: as `build_package`.
    """
    return {spec: build_package(spec, target, on_build=on_build) for spec in FUNCTIONS}


def packages_in(folder: Path) -> Mapping[FunctionSpec, Path]:
    """The packages that a backup kept, by the names that it gives them.

    Raises:
        PackageError: naming every one that is missing or is no zip.
    """
    kept = {spec: folder / Path(package_key(LATEST, spec)).name for spec in FUNCTIONS}
    missing = [path.name for path in kept.values() if not zipfile.is_zipfile(path)]
    if missing:
        raise PackageError(
            f"packagesFrom: {folder} has no zip named {', '.join(missing)}; fetch code/<date>/ of the backup "
            "bucket into it, or leave packagesFrom empty to build the packages from source"
        )
    return kept


def build_package(
    spec: FunctionSpec, target: Target, *, folder: Path = BUILD, on_build: OnBuild = lambda *_: None
) -> Path:
    """The package of one function, built unless a package of the same inputs is in `folder`.

    Raises:
        PackageError: with the tool's last line and the next step.
    """
    sources = list(handler_sources(spec))
    lock = ROOT / "locks" / f"lambda-{spec.key}.txt"
    package = folder / f"{spec.key}-{target.name}-{_digest(target, [lock, *sources])}.zip"
    if package.exists():
        return package
    on_build(spec, target)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=f".{spec.key}-") as scratch:
        stage = Path(scratch) / "stage"
        _install(lock, target, stage)
        prune(stage)
        prune_service_models(stage / "botocore" / "data", sources)
        _compile(stage, target, of_dependencies=True)
        for source in stage.rglob("*.py"):
            source.unlink()
        for source in sources:
            copy = stage / source.relative_to(ROOT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, copy)
        _compile(stage, target)
        unfinished = Path(scratch) / package.name
        _zip(stage, unfinished)
        unfinished.replace(package)
    return package


def handler_sources(spec: FunctionSpec) -> Iterator[Path]:
    """The files of ours that the function's entry point imports, found by following its imports.

    A package that is imported comes with its `__init__.py`; one that discovers its modules while
    running (`handlers.domain.formats`) comes whole.
    """
    seen: set[Path] = set()
    waiting = [spec.handler.rpartition(".")[0]]
    while waiting:
        for path in _module_files(waiting.pop()):
            if path not in seen:
                seen.add(path)
                waiting += _imports_of(path)
    yield from sorted(seen)


def _module_files(module: str) -> Iterator[Path]:
    """The files that importing `module` runs: its parents' `__init__.py` and its own."""
    parts = module.split(".")
    if parts[0] not in OURS:
        return
    for depth in range(1, len(parts) + 1):
        base = ROOT.joinpath(*parts[:depth])
        if (base / "__init__.py").exists():
            yield base / "__init__.py"
            if "pkgutil" in (base / "__init__.py").read_text():
                yield from base.glob("*.py")
        elif base.with_suffix(".py").exists():
            yield base.with_suffix(".py")


def _imports_of(path: Path) -> list[str]:
    """Every module named by an import statement of `path`, those inside functions too."""
    names: list[str] = []
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return names


def _digest(target: Target, files: list[Path]) -> str:
    """Sixteen hex digits over everything that decides the package's bytes."""
    digest = hashlib.sha256(f"{RECIPE} {target} {_NOT_SHIPPED} {_NEVER_LOADED}".encode())
    for file in files:
        digest.update(f"\0{file.relative_to(ROOT)}\0".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def _install(lock: Path, target: Target, stage: Path) -> None:
    command = [
        _uv(),
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--no-compile-bytecode",
        "--link-mode",
        "copy",
    ]
    command += ["--require-hashes", "--requirements", str(lock), "--target", str(stage)]
    if target.platform is None:
        command += ["--python", target.interpreter()]
    else:
        command += ["--python-version", target.python, "--python-platform", target.platform]
        command += ["--only-binary", ":all:"]
    _run(command, timeout_s=UV_TIMEOUT_S, advice="see that the package index can be reached; run it again")


def prune(stage: Path) -> None:
    """Remove from a folder of installed dependencies what no handler loads.

    Raises:
        PackageError: a pattern of `_NEVER_LOADED` matches nothing any more.
    """
    patterns = [pattern for top, some in _NEVER_LOADED.items() if (stage / top).exists() for pattern in some]
    for pattern in (*_NOT_SHIPPED, *patterns):
        found = list(stage.glob(pattern))
        if not found and pattern in patterns:
            raise PackageError(f"{pattern} is in no dependency any more; see what it became in _NEVER_LOADED")
        for path in found:
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
    for metadata in stage.glob("*.dist-info/METADATA"):
        # The fields come first; the description after them, a README, is for people.
        # https://packaging.python.org/en/latest/specifications/core-metadata/#description
        fields, _, _ = metadata.read_text(encoding="utf-8").partition("\n\n")
        metadata.write_text(fields + "\n", encoding="utf-8")


def _compile(stage: Path, target: Target, *, of_dependencies: bool = False) -> None:
    """Byte code that stays valid: a zip's fixed times would make time-checked `.pyc` files stale.

    `of_dependencies`: they come as byte code alone, in the place of their sources and without their texts for
    people, which is half the size. A traceback still names their files and lines.
    https://docs.python.org/3/library/compileall.html#cmdoption-compileall-b
    """
    how = ["-b", "-o", "2"] if of_dependencies else []
    command = [target.interpreter(), "-m", "compileall", "-q", "-j", "0", *how]
    command += ["--invalidation-mode", "unchecked-hash", "-s", str(stage), "-p", "/var/task", str(stage)]
    _run(command, timeout_s=COMPILE_TIMEOUT_S, advice="correct the source it names", hash_seed="0")


def _zip(stage: Path, archive: Path) -> None:
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as out:
        for path in sorted(p for p in stage.rglob("*") if p.is_file()):
            entry = zipfile.ZipInfo(path.relative_to(stage).as_posix(), ZIP_EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            out.writestr(entry, path.read_bytes())


def _uv() -> str:
    """The uv that the project installs beside its own Python, wherever PATH points."""
    beside = Path(sys.executable).with_name("uv")
    found = str(beside) if beside.exists() else shutil.which("uv")
    if not found:
        raise PackageError("uv is needed to build the Lambda packages and was not found: run `make setup`")
    return found


def _run(command: list[str], *, timeout_s: int, advice: str, hash_seed: str = "random") -> None:
    """Run a build tool quietly.

    Raises:
        PackageError: it failed or took longer than `timeout_s`.
    """
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=timeout_s, check=False, env=environment
        )
    except subprocess.TimeoutExpired as error:
        raise PackageError(f"{command[0]} took longer than {timeout_s} s; {advice}") from error
    if done.returncode != 0:
        last = (done.stderr or done.stdout).strip().splitlines()[-1:] or ["no message"]
        raise PackageError(f"{Path(command[0]).name} {command[1]} failed: {last[0]}; {advice}")
