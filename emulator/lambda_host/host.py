"""The host: where its execution environments run, and what holds them."""

import asyncio
import contextlib
import os
import re
import shutil
import tempfile
import threading
import zipfile
from collections.abc import Callable, Iterator, Mapping
from importlib import metadata
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from emulator.lambda_host.cgroups import PREFIX, CgroupV1, CgroupV2, left_behind, remove_stale
from emulator.lambda_host.confinement import Confinement, HostError, Mechanism
from emulator.lambda_host.duty_cycle import DutyCycle
from emulator.lambda_host.environment import ExecutionEnvironment
from emulator.lambda_host.processor import not_measurable, others_cores
from emulator.lambda_host.runtime_process import Function
from topology.limits import LAMBDA_MEMORY_MIN_MB

CONFINE: Final[Mapping[Mechanism, Callable[[int, float], Confinement]]] = {
    Mechanism.CGROUP_V2: CgroupV2,
    Mechanism.CGROUP_V1: CgroupV1,
    Mechanism.DUTY_CYCLE: DutyCycle,
}

RUNTIME: Final = "awslambdaric"


class LambdaHost:
    """Runs functions as Lambda does; a context manager. `emulator.lambda_host` has an example."""

    def __init__(self, *, mechanism: Mechanism | None = None) -> None:
        """Describe a host; `mechanism` is the best that works here, unless it is given."""
        self._wanted = mechanism
        self.mechanism = mechanism or Mechanism.DUTY_CYCLE
        self._open = contextlib.ExitStack()
        self._environments: list[ExecutionEnvironment] = []
        self._unpacked: dict[tuple[Path, int], Path] = {}

    def __enter__(self) -> Self:
        """Find out what can hold processes here, and end what a killed host left behind.

        Until it is closed the calling thread, and what it starts, leaves one of several cores to functions:
        without root nothing else keeps it off theirs.

        Raises:
            HostError: the given mechanism does not work here, or the runtime client is not installed.
        """
        with contextlib.ExitStack() as opened:
            before = os.sched_getaffinity(0)
            os.sched_setaffinity(0, others_cores())
            opened.callback(os.sched_setaffinity, 0, before)
            remove_stale()
            self.mechanism = _working(self._wanted)
            for folder in left_behind(Path(tempfile.gettempdir())):
                shutil.rmtree(folder, ignore_errors=True)
            name = f"{PREFIX}{os.getpid()}-"
            self._folder = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix=name)))
            self._runtime = _link_runtime(self._folder / "runtime")
            self._loop = opened.enter_context(_running_loop())
            opened.callback(self._close_environments)
            self._open = opened.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End all environments, and remove what they were held by."""
        self._open.close()

    def environment(
        self,
        package: Path,
        *,
        handler: str,
        memory_mb: int,
        timeout_s: float,
        variables: Mapping[str, str],
    ) -> ExecutionEnvironment:
        """A new environment of a function.

        Parameters: `package` is a zip, or its folder, unpacked; `handler` as `module.function`; `variables`
        is all that the function finds in its environment besides what Lambda sets, and may override that.

        Raises:
            HostError: the memory size cannot be had here, or there is no such package.
        """
        if reason := not_measurable(memory_mb):
            raise HostError(f"{reason}; choose another size")
        folder = self._unpack(package)
        function = Function(
            name=variables.get("AWS_LAMBDA_FUNCTION_NAME", package.stem),
            package=folder,
            handler=handler,
            memory_mb=memory_mb,
            timeout_s=timeout_s,
            variables=variables,
        )
        made = ExecutionEnvironment(
            function,
            runtime=self._runtime,
            log=self._folder / f"{len(self._environments)}.log",
            confine=CONFINE[self.mechanism],
            loop=self._loop,
        )
        self._environments.append(made)
        return made

    def _unpack(self, package: Path) -> Path:
        if package.is_dir():
            return package.resolve()
        if not zipfile.is_zipfile(package):
            raise HostError(f"{package} is neither a folder nor a zip; build the packages with make packages")
        key = (package.resolve(), package.stat().st_mtime_ns)
        if key not in self._unpacked:
            folder = self._folder / f"package-{len(self._unpacked)}"
            with zipfile.ZipFile(package) as archive:
                archive.extractall(folder)
            self._unpacked[key] = folder
        return self._unpacked[key]

    def _close_environments(self) -> None:
        for environment in self._environments:
            environment.close()


def _working(wanted: Mechanism | None) -> Mechanism:
    """The best mechanism that works here, found out by trying; or the wanted one if it does."""
    reasons = {}
    for mechanism in [wanted] if wanted else list(Mechanism):
        try:
            CONFINE[mechanism](LAMBDA_MEMORY_MIN_MB, 1.0).close()
        except OSError as error:
            reasons[mechanism] = error
        else:
            return mechanism
    why = "; ".join(f"{mechanism}: {error}" for mechanism, error in reasons.items())
    raise HostError(f"nothing can hold a function here ({why}); leave the mechanism out, or choose another")


def _link_runtime(folder: Path) -> Path:
    """A folder with the runtime client and what it needs, and nothing else of this Python's packages."""
    folder.mkdir()
    wanted: list[str] = [RUNTIME]
    linked: set[str] = set()
    while wanted:
        name = wanted.pop()
        try:
            distribution = metadata.distribution(name)
        except metadata.PackageNotFoundError as error:
            raise HostError(f"{error} is not installed; pip install '.[load]'") from error
        wanted += [re.split(r"[^\w.-]", need)[0] for need in distribution.requires or () if ";" not in need]
        for top in {file.parts[0] for file in distribution.files or ()} - linked - {"..", "__pycache__"}:
            linked.add(top)
            (folder / top).symlink_to(Path(str(distribution.locate_file(top))))
    return folder


@contextlib.contextmanager
def _running_loop() -> Iterator[asyncio.AbstractEventLoop]:
    """An event loop in a thread that lives as long: a process dies with the thread that started it."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True, name="lambda-host")
    thread.start()
    try:
        yield loop
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
