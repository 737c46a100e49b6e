"""The AWS processes as the supervisor sees them: start one, wait until it is healthy, signal its group."""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import aiohttp
import msgspec
import psutil

from emulator.aws_capacity import USAGE_PATH, Usage
from emulator.errors import RefusedError, StartFailedError
from emulator.ports import LOOPBACK
from emulator.supervisor.process_groups import END_WITHIN_S, INHERITED, log_tail
from lambda_packages import ROOT

WAIT_SCALE: Final = 0.05
"""The part of a state machine's wait that is really waited: its jobs here take a second, not minutes."""

HEALTHY_WITHIN_S: Final = 30.0
HEALTH_POLL_S: Final = 0.02
CHECKPOINT_WITHIN_S: Final = 10.0
RUN_WITHIN_S: Final = 40.0

SCHEDULE_RUNS: Final = "/_emulator/schedules/run"
"""The path at which a host takes requests to run a schedule; see `emulator.aws.scheduler`."""


@dataclass(frozen=True, kw_only=True)
class HostSpec:
    """One AWS process: where it listens, where its files and logs are, and its Lambdas' environment."""

    name: str
    instance_id: str
    region: str
    port: int
    folder: Path
    log: Path
    lambda_python: Path
    aws_faults: Path
    aws_capacity: Path
    fault_log: Path
    persistent: bool = True
    auth: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)
    """Endpoints and proxies: handed on to the Lambda workers."""

    @property
    def packages(self) -> Path:
        """Where the hosts of one emulator keep Lambda packages unpacked."""
        return self.folder.parent / "packages"

    @property
    def checkpoint_report(self) -> Path:
        """The file in which the host counts its checkpoints."""
        return self.folder / "checkpoint.json"


def host_environment(spec: HostSpec, inherited: Mapping[str, str]) -> dict[str, str]:
    """The whole environment of a host: ministack's settings, and a few harmless inherited variables."""
    return {
        **{name: inherited[name] for name in INHERITED if name in inherited},
        "GATEWAY_PORT": str(spec.port),
        "BIND_HOST": LOOPBACK,
        "MINISTACK_REGION": spec.region,
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "LOG_LEVEL": "WARNING",
        "SFN_WAIT_SCALE": str(WAIT_SCALE),
        "AUTH": "true" if spec.auth else "false",
        "PERSIST_STATE": "1" if spec.persistent else "0",
        "CHECKPOINT_REPORT": str(spec.checkpoint_report),
        "LAMBDA_PACKAGES": str(spec.packages),
        "AWS_FAULTS": str(spec.aws_faults),
        "AWS_CAPACITY": str(spec.aws_capacity),
        "FAULT_LOG": str(spec.fault_log),
        "STATE_DIR": str(spec.folder / "state"),
        "S3_DATA_DIR": str(spec.folder / "s3"),
        "TMPDIR": str(spec.folder / "tmp"),
        "HOME": str(spec.folder / "tmp"),
        "DOCKER_HOST": f"unix://{spec.folder}/no-docker.sock",
        "LAMBDA_PYTHON": str(spec.lambda_python),
        "AWS_EC2_METADATA_DISABLED": "true",
        "PYTHONUNBUFFERED": "1",
        "PYTHONNOUSERSITE": "1",
        **spec.environment,
    }


def make_folders(spec: HostSpec) -> None:
    """Make the folders of a host that is about to start.

    What a killed one had in `tmp` is removed: the folders of its Lambda workers, which nobody else removes.
    """
    shutil.rmtree(spec.folder / "tmp", ignore_errors=True)
    for folder in ("state", "tmp", "s3"):
        (spec.folder / folder).mkdir(parents=True, exist_ok=True)


class Host:
    """A running AWS process and its group. Used from the supervisor's event loop only."""

    def __init__(self, spec: HostSpec) -> None:
        """Describe a host; nothing starts before `start`."""
        self.spec = spec
        self._process: Process | None = None

    @property
    def pid(self) -> int | None:
        """The process id, which is the group's too; None while it does not run."""
        return self._process.pid if self._process and self._process.returncode is None else None

    def process_count(self) -> int:
        """How many processes the group has, Lambda workers included; 0 while it does not run."""
        try:
            return 1 + len(psutil.Process(self.pid).children(recursive=True)) if self.pid else 0
        except psutil.NoSuchProcess:
            return 0

    async def start(self) -> float:
        """Start and wait until it answers; return the seconds that took.

        Raises:
            StartFailedError: it ended, or did not answer in `HEALTHY_WITHIN_S`.
        """
        make_folders(self.spec)
        self.spec.checkpoint_report.unlink(missing_ok=True)
        begun = time.monotonic()
        with self.spec.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "emulator.aws.host", self.spec.instance_id,
                stdin=PIPE, stdout=log, stderr=log, start_new_session=True,
                env=host_environment(self.spec, os.environ), cwd=ROOT,
            )  # fmt: skip
        await self._wait_healthy(self._process, begun + HEALTHY_WITHIN_S)
        return time.monotonic() - begun

    async def kill(self) -> None:
        """SIGKILL the whole group, Lambda workers and in-flight invocations included."""
        if self._process is None:
            return
        self._signal_group(signal.SIGKILL)
        async with asyncio.timeout(END_WITHIN_S):
            await self._process.wait()

    def freeze(self) -> None:
        """SIGSTOP the whole group: a grey failure, whose invocations wake up later."""
        self._signal_group(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT the whole group."""
        self._signal_group(signal.SIGCONT)

    async def wait(self) -> int:
        """Wait without a limit until the process ends; return its exit code."""
        if self._process is None:
            return 0
        return await self._process.wait()

    async def checkpoint(self) -> None:
        """Have the process save its control plane, and wait until it has.

        Raises:
            RefusedError: it does not run, or could not save.
        """
        if self.pid is None:
            raise RefusedError(f"{self.spec.name} does not run, so it cannot save its state; start it first")
        report = self.spec.checkpoint_report
        before = _checkpoint_count(report)
        os.kill(self.pid, signal.SIGUSR1)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CHECKPOINT_WITHIN_S):
                while _checkpoint_count(report) <= before:  # noqa: ASYNC110 - another process writes it
                    await asyncio.sleep(HEALTH_POLL_S)
        failed = json.loads(report.read_text(encoding="utf-8"))["failed"] if report.exists() else ["all"]
        if failed or _checkpoint_count(report) <= before:
            raise RefusedError(
                f"{self.spec.name} could not save its state of {', '.join(failed) or 'any service'}; "
                f"see {self.spec.log}"
            )

    async def run_schedule(self, region: str, name: str) -> None:
        """Have the process run a schedule now.

        Raises:
            RefusedError: there is none of that name, its target refused, or there was no answer in time.
        """
        url = f"http://{LOOPBACK}:{self.spec.port}{SCHEDULE_RUNS}"
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=RUN_WITHIN_S)) as session:
            try:
                async with session.post(url, params={"region": region, "name": name}) as answer:
                    problem = (await answer.json()).get("error")
            except (aiohttp.ClientError, TimeoutError) as error:
                raise RefusedError(f"schedule {name} of {region} was not run: {error!r}") from error
        if problem:
            raise RefusedError(f"schedule {name} of {region} was not run: {problem}")

    async def usage(self) -> Usage:
        """What the process has done since it started.

        Raises:
            RefusedError: it does not answer.
        """
        url = f"http://{LOOPBACK}:{self.spec.port}{USAGE_PATH}"
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=RUN_WITHIN_S)) as session:
            try:
                async with session.get(url) as answer:
                    return msgspec.json.decode(await answer.read(), type=Usage)
            except (aiohttp.ClientError, TimeoutError, msgspec.MsgspecError) as error:
                raise RefusedError(f"{self.spec.name} does not say what it has done: {error!r}") from error

    def _signal_group(self, number: signal.Signals) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)

    async def _wait_healthy(self, process: Process, deadline: float) -> None:
        url = f"http://{LOOPBACK}:{self.spec.port}/_ministack/health"
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session:
            while time.monotonic() < deadline:
                if process.returncode is not None:
                    raise StartFailedError(
                        f"the AWS process {self.spec.name} ended with code {process.returncode} "
                        f"at its start: {log_tail(self.spec.log)}"
                    )
                with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                    async with session.get(url) as answer:
                        if answer.ok and _listens(process.pid, self.spec.port):
                            return
                await asyncio.sleep(HEALTH_POLL_S)
        raise StartFailedError(
            f"the AWS process {self.spec.name} was not healthy in {HEALTHY_WITHIN_S:.0f} s: "
            f"{log_tail(self.spec.log)}"
        )


def _listens(pid: int, port: int) -> bool:
    """Whether it is this process that answers on `port`, and not another program that took it meanwhile."""
    try:
        connections = psutil.Process(pid).net_connections(kind="tcp")
    except psutil.Error:
        return False
    return any(c.status == psutil.CONN_LISTEN and c.laddr.port == port for c in connections)


def _checkpoint_count(report: Path) -> int:
    return int(json.loads(report.read_text(encoding="utf-8"))["count"]) if report.exists() else 0
