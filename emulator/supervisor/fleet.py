"""Everything that runs: AWS processes, gates, the edge, the stand-ins, the control API, and the run file.

The supervisor makes one, and the control API acts on it.
"""

import asyncio
import contextlib
import os
import secrets
import shutil
import venv
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

from aiohttp import web

from emulator import aws_capacity, aws_faults, errors, fault_log
from emulator.ports import LOOPBACK, free_port, in_use
from emulator.protocol import Options, ProcessStatus, StandIns, Status
from emulator.route53.name_service import NameService
from emulator.sigv4 import Scope
from emulator.stand_ins.claude import ClaudeStandIn
from emulator.stand_ins.faults import Fault, Faults
from emulator.stand_ins.slack import SlackStandIn
from emulator.supervisor import runfile
from emulator.supervisor.control_api import control_application
from emulator.supervisor.edge import (
    CONTROL_PLANES,
    DURABLE_SERVICES,
    GLOBAL_SERVICES,
    Edge,
    RouteError,
    UnreachableError,
)
from emulator.supervisor.egress import (
    CLAUDE_HOST,
    REAL_CLAUDE,
    REAL_SLACK,
    SLACK_API_HOST,
    SLACK_HOST,
    Egress,
)
from emulator.supervisor.gate import Gate, passing_to
from emulator.supervisor.process_groups import memory_mb
from emulator.supervisor.processes import Host, HostSpec
from emulator.supervisor.regions import BRING_BACK, Region

SHUTDOWN_WITHIN_S: Final = 1.0
SLACK_CHANNEL: Final = "incidents"
DURABLE: Final = "durable"
SINGLE: Final = "single"
DURABLE_ENDPOINTS: Final = ("DYNAMODB", "DYNAMODB_STREAMS", "SECRETS_MANAGER", "IAM", "STS", "S3", "BACKUP")
"""Service names as in AWS_ENDPOINT_URL_<SERVICE>.
https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html"""


class Fleet:
    """Everything that runs, on one event loop."""

    def __init__(self, options: Options) -> None:
        """Nothing starts before `start`."""
        self.options = options
        self.instance_id = secrets.token_hex(8)
        self.stopping = asyncio.Event()
        (options.run_dir / fault_log.FILE).unlink(missing_ok=True)
        self.fault_log = fault_log.FaultLog(options.run_dir / fault_log.FILE)
        self.faults = Faults(self._note_met)
        self.aws_faults: tuple[aws_faults.AwsFault, ...] = ()
        self._aws_fault_file = aws_faults.fault_file(options.run_dir / aws_faults.FILE)
        self._aws_fault_file.write(())
        self._aws_capacity_file = aws_capacity.capacity_file(options.run_dir / aws_capacity.FILE)
        self.limit_aws(aws_capacity.AwsCapacity())
        self.regions: dict[str, Region] = {}
        self.slack = SlackStandIn(options.run_dir / "slack-messages.jsonl", self.faults)
        self.claude = ClaudeStandIn(self.faults)
        self.slack_webhook_url = self.slack.add_webhook(SLACK_CHANNEL)
        self.slack_channel = self.slack.add_channel(SLACK_CHANNEL)
        self._token = secrets.token_hex(24)
        self._edge = Edge(self._route)
        self.names = NameService()
        self._durable: Host | None = None
        self._runners: list[web.AppRunner] = []
        self._locks = {region: asyncio.Lock() for region in options.regions}
        self._ports: dict[str, int] = {}

    async def start(self) -> None:
        """Start everything; it is healthy when this returns.

        Raises:
            PortInUseError, StartFailedError: `stop` must follow.
        """
        venv.EnvBuilder(symlinks=True).create(self._lambda_venv)
        plan = self.options.ports
        self._ports["slack"] = await self._serve(self.slack.reader(), plan.slack, "the Slack page")
        self._ports["edge"] = await self._serve(self._edge.application(), plan.edge, "the edge address")
        self._ports["control"] = await self._serve(control_application(self, self._token), 0, "control")
        webhook_ports = plan.webhooks or (0,) * len(self.options.regions)
        if self.options.layout == SINGLE:
            await self._start_single(webhook_ports)
        else:
            await self._start_regions(webhook_ports)
        host = self._durable or self.regions[self.options.regions[0]].host
        self._ports["dns"] = await self.names.start(f"http://{LOOPBACK}:{host.spec.port}", plan.dns)
        self.write_record()

    async def stop(self) -> None:
        """End every process, give every port back, remove what was temporary."""
        await self.names.stop()
        for region in self.regions.values():
            await region.stop()
        if self._durable is not None:
            await self._durable.kill()
        await asyncio.gather(*(runner.cleanup() for runner in self._runners))
        self.slack.close()
        self.fault_log.close()
        for name in (runfile.RECORD, aws_faults.FILE, aws_capacity.FILE):
            (self.options.run_dir / name).unlink(missing_ok=True)
        for folder in (self._hosts_dir, self._lambda_venv):
            shutil.rmtree(folder, ignore_errors=True)

    async def act(self, region: str, action: str) -> None:
        """Do one of `Region.actions` to a region.

        Raises:
            RefusedError: no such region or action, or it makes no sense now.
            StartFailedError: a started region did not become healthy.
        """
        if self.options.layout == SINGLE:
            raise errors.RefusedError(
                f"cannot {action} {region}: with auth all regions share one process; start without auth"
            )
        if region not in self.regions:
            raise errors.RefusedError(f"no region {region!r} here; there are {', '.join(self.regions)}")
        actions = self.regions[region].actions()
        if action not in actions:
            raise errors.RefusedError(f"no action {action!r}; there are {', '.join(actions)}")
        async with self._locks[region]:
            processes = self.regions[region].host.process_count()
            await actions[action]()
            what = f"{processes} processes" if processes else "its processes were gone"
            service = "bring-back" if action in BRING_BACK else "region"
            self.fault_log.add(service=service, kind=action, region=region, what=what)
            if not self.regions[region].is_reachable:
                self._edge.reset(region)
        if action in {"kill", "start"}:
            self.write_record()

    async def run_schedule(self, region: str, name: str) -> None:
        """Run a schedule of a region now, as if its time had come.

        Raises:
            RefusedError: no such region or schedule, the region does not run, or the target refused.
        """
        target = self.regions.get(region)
        if target is None or target.power != "running":
            power = "none of the regions here" if target is None else target.power
            raise errors.RefusedError(f"cannot run schedule {name} in {region}: it is {power}")
        await target.host.run_schedule(region, name)

    def add_aws_fault(self, fault: aws_faults.AwsFault) -> None:
        """Put a fault of AWS in force.

        Raises:
            FaultError: it is not one that can fire.
        """
        self.aws_faults = (*self.aws_faults, aws_faults.checked(fault, self.options.regions))
        self._aws_fault_file.write(self.aws_faults)

    def clear_faults(self) -> None:
        """Leave no fault in force, of the stand-ins or of AWS; a lost region stays lost."""
        self.faults.clear()
        self.aws_faults = ()
        self._aws_fault_file.write(())

    def limit_aws(self, limits: aws_capacity.AwsCapacity) -> None:
        """Put these limits of AWS's capacity in force, and no others."""
        self._aws_capacity_file.write(limits)

    async def usage(self) -> dict[str, aws_capacity.Usage]:
        """What each AWS process that runs has done, by its name: the regions, and `durable` for the tables.

        Raises:
            RefusedError: one does not answer.
        """
        hosts = {r.host.spec.name: r.host for r in self.regions.values() if r.power == "running"}
        if self._durable is not None:
            hosts[self._durable.spec.name] = self._durable
        return dict(zip(hosts, await asyncio.gather(*(host.usage() for host in hosts.values())), strict=True))

    async def checkpoint(self) -> None:
        """Save the resources of every region that runs.

        Raises:
            RefusedError: one could not.
        """
        hosts = {id(r.host): r.host for r in self.regions.values() if r.power == "running"}
        await asyncio.gather(*(host.checkpoint() for host in hosts.values()))

    @property
    def status(self) -> Status:
        """The status of every part, as `responder local status` shows it."""
        return Status(
            layout=self.options.layout,
            auth=self.options.auth,
            regions=tuple(region.status for region in self.regions.values()),
            processes=(
                _process("supervisor", os.getpid(), with_children=False),
                *(_process(name, pid, with_children=True) for name, pid in self._pids().items()),
            ),
            faults=self.faults.in_force,
            aws_faults=self.aws_faults,
            slack_messages=len(self.slack.messages),
            slack_rate_limited=self.slack.rate_limited,
            claude_calls=len(self.claude.calls),
        )

    @property
    def stand_ins(self) -> StandIns:
        """The addresses and keys of the stand-ins that a deployment needs."""
        real_slack, real_claude = self.options.real_slack, self.options.real_claude
        return StandIns(
            slack_webhook_url=None if real_slack else self.slack_webhook_url,
            slack_webhook_origin="https://hooks.slack.com" if real_slack else f"http://{SLACK_HOST}",
            slack_bot_token=None if real_slack else self.slack.bot_token,
            slack_channel=None if real_slack else self.slack_channel,
            anthropic_api_key=None if real_claude else self.claude.api_key,
        )

    def write_record(self) -> None:
        """Write the run file with the present processes and ports."""
        address = f"http://{LOOPBACK}"
        runfile.write(
            self.options.run_dir,
            runfile.RunFile(
                instance_id=self.instance_id,
                layout=self.options.layout,
                auth=self.options.auth,
                regions=self.options.regions,
                supervisor_pid=os.getpid(),
                processes=self._pids(),
                control_url=f"{address}:{self._ports['control']}",
                control_token=self._token,
                edge_url=f"{address}:{self._ports['edge']}",
                slack_url=f"{address}:{self._ports['slack']}",
                webhook_base_urls={
                    name: region.status.webhook_base_url for name, region in self.regions.items()
                },
                dns_port=self._ports["dns"],
            ),
        )

    def _note_met(self, fault: Fault, region: str) -> None:
        self.fault_log.add(service=fault.service, kind=fault.kind, region=region, what="a request")

    @property
    def _hosts_dir(self) -> Path:
        return self.options.run_dir / "hosts"

    @property
    def _lambda_venv(self) -> Path:
        return self.options.run_dir / "lambda-python"

    def _pids(self) -> dict[str, int]:
        hosts = [region.host for region in self.regions.values()]
        if self._durable is not None:
            hosts.insert(0, self._durable)
        return {host.spec.name: host.pid for host in hosts if host.pid is not None}

    async def _start_regions(self, webhook_ports: tuple[int, ...]) -> None:
        self._durable = Host(self._host_spec(DURABLE, self.options.regions[0], persistent=False))
        for name, webhook_port in zip(self.options.regions, webhook_ports, strict=True):
            durable = Gate("durable services", passing_to(self._durable.spec.port))
            await durable.claim()
            endpoint = f"http://{LOOPBACK}:{durable.port}"
            egress, way_out, proxies = await self._way_out(name)
            environment = {f"AWS_ENDPOINT_URL_{service}": endpoint for service in DURABLE_ENDPOINTS} | proxies
            host = Host(self._host_spec(name, name, environment=environment))
            webhooks = Gate(f"webhooks of {name}", passing_to(host.spec.port))
            await webhooks.claim(webhook_port)
            self.regions[name] = Region(
                name=name, host=host, egress=egress, gates=(webhooks, durable, way_out)
            )
        async with _unwrapped(), asyncio.TaskGroup() as starts:
            starts.create_task(self._durable.start())
            for region in self.regions.values():
                starts.create_task(region.start())

    async def _start_single(self, webhook_ports: tuple[int, ...]) -> None:
        first = self.options.regions[0]
        egress, way_out, proxies = await self._way_out(first)
        host = Host(self._host_spec(SINGLE, first, environment=proxies))
        for name, webhook_port in zip(self.options.regions, webhook_ports, strict=True):
            webhooks = Gate(f"webhooks of {name}", passing_to(host.spec.port))
            await webhooks.claim(webhook_port)
            self.regions[name] = Region(name=name, host=host, egress=egress, gates=(webhooks, way_out))
        await host.start()
        for region in self.regions.values():
            await region.became_healthy()

    async def _way_out(self, region: str) -> tuple[Egress, Gate, dict[str, str]]:
        """The region's egress proxy, its gate, and the environment that makes functions use it."""
        stand_ins: dict[str, int] = {}
        tunnels: set[str] = set()
        base_url = {}
        if self.options.real_slack:
            tunnels.add(REAL_SLACK)
        else:
            slack = await self._serve(self.slack.application(region), 0, "the Slack stand-in")
            stand_ins |= {SLACK_HOST: slack, SLACK_API_HOST: slack}
        if self.options.real_claude:
            tunnels.add(REAL_CLAUDE)
        else:
            stand_ins[CLAUDE_HOST] = await self._serve(
                self.claude.application(region), 0, "the Claude stand-in"
            )
            base_url = {"ANTHROPIC_BASE_URL": f"http://{CLAUDE_HOST}"}
        egress = Egress(stand_ins=stand_ins, tunnels=frozenset(tunnels))
        gate = Gate(f"way out of {region}", egress.serve)
        await gate.claim()
        proxy = f"http://{LOOPBACK}:{gate.port}"
        proxies = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), proxy)
        direct = dict.fromkeys(("NO_PROXY", "no_proxy"), f"{LOOPBACK},localhost")
        return egress, gate, {**proxies, **direct, **base_url}

    def _host_spec(
        self, name: str, region: str, *, persistent: bool = True, environment: dict[str, str] | None = None
    ) -> HostSpec:
        return HostSpec(
            name=name,
            instance_id=self.instance_id,
            region=region,
            port=free_port(),
            folder=self._hosts_dir / name,
            log=self.options.run_dir / runfile.LOGS / f"{name}.log",
            lambda_python=self._lambda_venv / "bin" / "python",
            persistent=persistent,
            auth=self.options.auth,
            aws_faults=self.options.run_dir / aws_faults.FILE,
            aws_capacity=self.options.run_dir / aws_capacity.FILE,
            fault_log=self.options.run_dir / fault_log.FILE,
            environment=environment or {},
        )

    def _route(self, scope: Scope) -> int:
        region = self.regions.get(CONTROL_PLANES.get(scope.service, scope.region))
        if region is None and scope.service not in GLOBAL_SERVICES:
            raise RouteError(
                f"the request is signed for region {scope.region!r}, and this emulator has "
                f"{', '.join(self.regions)}; give one of them with --region"
            )
        if region is not None and not region.is_reachable:
            raise UnreachableError
        if self._durable is not None and scope.service in DURABLE_SERVICES:
            return self._durable.spec.port
        return (region or self.regions[self.options.regions[0]]).host.spec.port

    async def _serve(self, app: web.Application, port: int, what: str) -> int:
        """Serve `app` on `port`, or any free one; return which."""
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_WITHIN_S)
        self._runners.append(runner)
        await runner.setup()
        try:
            await web.TCPSite(runner, LOOPBACK, port).start()
        except OSError as error:
            raise in_use(port, what) from error
        return int(runner.addresses[0][1])


def _process(name: str, pid: int, *, with_children: bool) -> ProcessStatus:
    return ProcessStatus(name=name, pid=pid, memory_mb=round(memory_mb(pid, with_children=with_children), 1))


@contextlib.asynccontextmanager
async def _unwrapped() -> AsyncIterator[None]:
    """Raise the first error of a group in place of the group: one process that does not start is enough."""
    try:
        yield
    except* errors.EmulatorError as group:
        raise group.exceptions[0] from None
