"""The way in: start an emulator, find a running one, do things to its regions, read what came out.

Used by the deployment, the command line, the demo, chaos experiments and tests. Nothing here stays running:
every call is an HTTP request to the supervisor, with a deadline.
"""

import contextlib
import http.client
import json
import shutil
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Final, NoReturn, Self, TypeVar
from urllib.parse import urlsplit

import msgspec

from emulator import errors
from emulator.aws_capacity import AwsCapacity, Usage
from emulator.aws_faults import PERCENT_MAX, AwsFault, AwsService
from emulator.claude_latency import ClaudeLatency
from emulator.fault_log import FiredFault
from emulator.ports import LOOPBACK, PortPlan
from emulator.protocol import (
    ClaudeCall,
    HealthCheckStatus,
    NotedFault,
    Options,
    PaceRequest,
    RateLimitRequest,
    SlackMessage,
    StandIns,
    Status,
    WebhookRequest,
)
from emulator.stand_ins.faults import Fault, Service
from emulator.supervisor import runfile
from emulator.supervisor.launch import end, end_attached, launch

ANSWER_WITHIN_S: Final = 45.0

Answer = TypeVar("Answer")


class Emulator:
    """A running emulator. Use `start` or `attach`; as a context manager it stops at the end."""

    def __init__(self, run_dir: Path, record: runfile.RunFile, child: subprocess.Popen[bytes] | None) -> None:
        """Not for callers: see `start` and `attach`."""
        self.run_dir = run_dir
        self._record = record
        self._child = child

    @classmethod
    def start(
        cls,
        run_dir: Path,
        *,
        regions: tuple[str, ...],
        detach: bool = False,
        ports: PortPlan | None = None,
        auth: bool = False,
        real_slack: bool = False,
        real_claude: bool = False,
    ) -> Self:
        """Start an emulator that keeps its files in `run_dir`; healthy when it returns.

        It ends with this process, unless `detach`. `auth` enforces IAM, in one process for all regions. With
        `real_slack` or `real_claude` functions reach that real service instead of its stand-in.

        Raises:
            EmulatorError: `run_dir` cannot be made or used.
            AlreadyRunningError: one runs in `run_dir`.
            PortInUseError: a port of `ports` is taken.
            StartFailedError: it did not become healthy.
        """
        run_dir = run_dir.resolve()
        runfile.prepare(run_dir)
        options = Options(
            folder=str(run_dir), regions=regions, ports=ports or PortPlan(), auth=auth,
            real_slack=real_slack, real_claude=real_claude, with_parent=not detach,
        )  # fmt: skip
        child = launch(options)
        try:
            record = _record(run_dir)
        except BaseException:
            end(child)
            raise
        return cls(run_dir, record, child)

    @classmethod
    def attach(cls, run_dir: Path) -> Self:
        """Find the emulator that runs in `run_dir`.

        What an emulator that died has left behind there is ended.

        Raises:
            NotRunningError: none runs.
            EmulatorError: `run_dir` is no folder, or somebody else's.
        """
        run_dir = run_dir.resolve()
        if not runfile.is_held(run_dir):
            ended = runfile.end_leftovers(run_dir)
            rest = f" (ended what one that died left behind: {', '.join(ended)})" if ended else ""
            raise errors.NotRunningError(f"no emulator runs in {run_dir}{rest}; start one first")
        return cls(run_dir, _record(run_dir), None)

    @property
    def instance_id(self) -> str:
        """Differs for every start; a deployment's state belongs to one instance."""
        return self._record.instance_id

    @property
    def edge_url(self) -> str:
        """The one endpoint for signed AWS calls."""
        return self._record.edge_url

    @property
    def slack_url(self) -> str:
        """Where a person reads what Slack received; JSON at `/messages` under it."""
        return self._record.slack_url

    @property
    def dns_address(self) -> tuple[str, int]:
        """Host and UDP port of the DNS server that answers for the hosted zones."""
        return LOOPBACK, self._record.dns_port

    @property
    def regions(self) -> tuple[str, ...]:
        """As given at the start, the primary first."""
        return self._record.regions

    def webhook_base_url(self, region: str) -> str:
        """Scheme, host and port of a region's webhooks; `/restapis/<id>/<stage>/_user_request_/` follows."""
        return self._record.webhook_base_urls[region]

    def stand_ins(self) -> StandIns:
        """What to put into the secrets of a deployment. Holds secrets: do not log it."""
        return _decoded(self._call("GET", "/stand-ins"), StandIns)

    def status(self) -> Status:
        """The present status of every part."""
        return _decoded(self._call("GET", "/status"), Status)

    def kill(self, region: str) -> None:
        """SIGKILL a region: processes, Lambda workers, connections; its queues' messages are lost."""
        self._act(region, "kill")

    def freeze(self, region: str) -> None:
        """SIGSTOP a region: it takes connections and does not answer."""
        self._act(region, "freeze")

    def resume(self, region: str) -> None:
        """Let a frozen region go on where it stopped."""
        self._act(region, "resume")

    def cut(self, region: str) -> None:
        """Cut a region's network: it runs on, and nothing passes in or out."""
        self._act(region, "cut")

    def reconnect(self, region: str) -> None:
        """Connect a region that was cut to the network again."""
        self._act(region, "reconnect")

    def start_region(self, region: str) -> None:
        """Start a killed region again, as of its last checkpoint and with empty queues."""
        self._act(region, "start")

    def bring_back(self, region: str) -> str | None:
        """Start, resume or reconnect a region, as it needs; return how it was lost, None if it was not.

        Raises:
            RefusedError: there is no such region.
        """
        status = {each.name: each for each in self.status().regions}.get(region)
        if status is None:
            raise errors.RefusedError(f"no region {region!r} here; there are {', '.join(self.regions)}")
        if status.power == "killed":
            self.start_region(region)
        elif status.power == "frozen":
            self.resume(region)
        if status.cut:
            self.reconnect(region)
        lost = status.power != "running" or status.cut
        return f"{status.power}{', cut' if status.cut else ''}" if lost else None

    def run_schedule(self, region: str, name: str) -> None:
        """Run an EventBridge schedule now, out of turn, as if its time had come; its target has been called.

        Raises:
            RefusedError: the region does not run, it has no such schedule, or a universal target refused.
        """
        self._call("POST", f"/regions/{region}/schedules/{name}/run")

    def checkpoint(self) -> None:
        """Save every running region's resources for a later `start_region`; call it after each deployment."""
        self._call("POST", "/checkpoint")

    def slack_messages(self, *, after: int = 0) -> list[SlackMessage]:
        """What Slack received, oldest first, without the first `after`."""
        return _decoded(self._call("GET", f"/slack/messages?after={after}"), list[SlackMessage])

    def add_slack_webhook(self, channel: str) -> str:
        """Make another Slack webhook; return its URL, which is a secret."""
        return _decoded(self._call("POST", "/slack/webhooks", WebhookRequest(channel=channel)), str)

    def limit_slack(self, *, per_s: float | None, burst: int = 5) -> None:
        """Have Slack answer 429 beyond `per_s` messages a second for a channel; None lifts the limit."""
        self._call("PUT", "/slack/rate-limit", RateLimitRequest(per_s=per_s, burst=burst))

    def set_claude_latency(self, latency: ClaudeLatency) -> None:
        """Have Claude's answers take as long as `latency` says, but for a fault with a delay of its own."""
        self._call("PUT", "/claude/latency", latency)

    def limit_claude(self, *, per_s: float | None, burst: int = 5) -> None:
        """Have Claude answer 429 beyond `per_s` calls a second; None lifts the limit."""
        self._call("PUT", "/claude/rate-limit", RateLimitRequest(per_s=per_s, burst=burst))

    def claude_calls(self) -> list[ClaudeCall]:
        """The latest calls that Claude answered, oldest first."""
        return _decoded(self._call("GET", "/claude/calls"), list[ClaudeCall])

    def claude_requests(self) -> list[str]:
        """The bodies of the latest requests that Claude was sent with its key, oldest first."""
        return _decoded(self._call("GET", "/claude/requests"), list[str])

    def set_fault(
        self,
        service: Service,
        kind: str,
        *,
        times: int | None = None,
        region: str | None = None,
        retry_after_s: int = 1,
        delay_s: float = 60.0,
    ) -> None:
        """Have a stand-in fail: see `emulator.stand_ins.faults` for the kinds.

        Raises:
            RefusedError: there is no such fault.
        """
        fault = Fault(
            service=service, kind=kind, times=times, region=region,
            retry_after_s=retry_after_s, delay_s=delay_s,
        )  # fmt: skip
        self._call("POST", "/faults", fault)

    def set_aws_fault(
        self,
        service: AwsService,
        kind: str,
        *,
        percent: float = PERCENT_MAX,
        region: str | None = None,
        function: str | None = None,
    ) -> None:
        """Have AWS itself fail: see `emulator.aws_faults` for the kinds and what each argument means.

        Raises:
            RefusedError: there is no such fault.
        """
        fault = AwsFault(service=service, kind=kind, percent=percent, region=region, function=function)
        self._call("POST", "/aws-faults", fault)

    def limit_aws(self, limits: AwsCapacity) -> None:
        """Put limits of AWS's capacity in force, and no others: `AwsCapacity()` lifts all."""
        self._call("PUT", "/aws-capacity", limits)

    def usage(self) -> dict[str, Usage]:
        """What each AWS process that runs has done since it started, by region; the tables' is `durable`.

        Raises:
            RefusedError: one does not answer.
        """
        return _decoded(self._call("GET", "/usage"), dict[str, Usage])

    def health_checks(self) -> list[HealthCheckStatus]:
        """Route 53's health checks as they are now, by name; a change shows within a second."""
        return _decoded(self._call("GET", "/health-checks"), list[HealthCheckStatus])

    def pace_health_checks(self, factor: float) -> None:
        """Have every health check wait `factor` of its interval, 0.01 to 1, so that a test need not.

        Raises:
            RefusedError: it is not within these.
        """
        self._call("PUT", "/health-checks/pace", PaceRequest(factor=factor))

    def clear_faults(self) -> None:
        """Have AWS and the stand-ins work again; a lost region stays lost."""
        self._call("DELETE", "/faults")

    def fault_log(self) -> list[FiredFault]:
        """Every fault that really fired in this run folder, oldest first; setting one is no entry."""
        return _decoded(self._call("GET", "/fault-log"), list[FiredFault])

    def note_fault(self, *, service: str, kind: str, region: str | None, what: str) -> None:
        """Log a fault that was made by AWS's own API, such as a purge."""
        self._call("POST", "/fault-log", NotedFault(service=service, kind=kind, region=region, what=what))

    def stop(self) -> None:
        """Stop every process, and wait for their end. Stopping a stopped emulator does nothing."""
        if self._child is not None:
            end(self._child)
        else:
            end_attached(self.run_dir, self._record.supervisor_pid)
        if not runfile.is_held(self.run_dir):
            runfile.end_leftovers(self.run_dir)
            shutil.rmtree(self.run_dir / "hosts", ignore_errors=True)

    def __enter__(self) -> Self:
        """The emulator, running."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop it."""
        self.stop()

    def _act(self, region: str, action: str) -> None:
        self._call("POST", f"/regions/{region}/{action}")

    def _call(self, method: str, path: str, body: object = None) -> bytes:
        """Call the control API; return the JSON that it answers."""
        address = urlsplit(self._record.control_url)
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=ANSWER_WITHIN_S)
        headers = {
            "Authorization": f"Bearer {self._record.control_token}",
            "Content-Type": "application/json",
        }
        with contextlib.closing(connection):
            try:
                connection.request(method, path, None if body is None else msgspec.json.encode(body), headers)
                response = connection.getresponse()
                content = response.read()
            except (OSError, http.client.HTTPException) as error:
                raise errors.NotRunningError(
                    f"the emulator of {self.run_dir} does not answer ({error}); "
                    "see its logs, then start it again"
                ) from error
        if response.status != http.client.OK:
            _raise(content)
        return content


def _decoded(content: bytes, kind: type[Answer]) -> Answer:
    return msgspec.json.decode(content, type=kind)


def _record(run_dir: Path) -> runfile.RunFile:
    record = runfile.read(run_dir)
    if record is None:
        raise errors.NotRunningError(f"an emulator is starting or stopping in {run_dir}; try again")
    return record


def _raise(content: bytes) -> NoReturn:
    problem = json.loads(content)
    raise getattr(errors, problem["error"], errors.EmulatorError)(problem["message"])
