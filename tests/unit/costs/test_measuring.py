"""The measurement of what alerts use: what is theirs, and what Recovery would have used without them."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from clients.sender import Webhook
from costs import measuring
from costs.measuring import IDLE_RUNS, measure
from costs.usage import FunctionUsage, MeasurementError, Units, Usage
from emulator.aws_capacity import FunctionUse, TableUse
from emulator.aws_capacity import Usage as Counted
from emulator.claude_latency import QUICK
from emulator.protocol import ClaudeCall
from tests.fakes.http_server import Answer, ScriptedServer
from topology.functions import ANALYSIS, RECEPTION, RECOVERY
from topology.names import Names
from topology.tables import ALERTS

NAMES = Names("local")
ACCEPTED = Answer(202, b'{"alerts": [{"alert_id": "a1", "status": "RECEIVED"}]}')
ROW = {"alert_id": {"S": "a1"}, "text": {"S": "x" * 92}}


@dataclass
class Aws:
    """Counts of two processes: each alert takes 10 units of writing, each run of Recovery 2 of reading."""

    server: ScriptedServer
    recovers: bool = True
    runs: int = 1
    latencies: list[object] = field(default_factory=list)

    def usage(self) -> dict[str, Counted]:
        """A region's process, and the tables'."""
        alerts = len(self.server.heard)
        region = Counted(
            functions={
                NAMES.function(RECEPTION): FunctionUse(invocations=alerts, busy_s=0.1 * alerts),
                NAMES.function(ANALYSIS): FunctionUse(),
            },
            background={
                NAMES.function(RECOVERY): FunctionUse(invocations=self.runs, busy_s=0.05 * self.runs)
            },
            queue_sends=alerts,
            log_bytes=1_000 * alerts + 100 * self.runs,
        )
        tables = {
            NAMES.table(ALERTS): TableUse(reads=2 * self.runs, writes=10 * alerts),
            f"{NAMES.table(ALERTS)}/index/timestamp-index": TableUse(writes=5 * alerts),
        }
        return {"us-east-1": region, "durable": Counted(tables=tables)}

    def run_recovery(self, _region: str) -> None:
        """Count a run, where it runs at all."""
        self.runs += self.recovers

    def set_claude_latency(self, latency: object) -> None:
        """Note it."""
        self.latencies.append(latency)

    def claude_calls(self) -> list[ClaudeCall]:
        """One before the alerts, one of them."""
        calls = {"region": "us-east-1", "model": "m", "status": 200, "input_tokens": 200}
        return [ClaudeCall(received_at_ms=at, **calls) for at in (1, 2**60)]

    def client(self, *_: str) -> "Aws":
        """The table's client."""
        return self

    def batch_get_item(self, **_: Any) -> dict[str, Any]:
        """The one row."""
        return {"Responses": {"alerts": [ROW]}}


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    """A webhook that accepts everything, until a test has it do otherwise."""
    one = ScriptedServer([ACCEPTED])
    yield one
    one.stop()


def measured(aws: Aws, folder: Path, *, seconds: float = 3.0) -> Usage:
    """Measure; while the rest is awaited, Recovery runs twice by its schedule."""
    regions = (SimpleNamespace(region="us-east-1"), SimpleNamespace(region="us-west-2"))
    deployment = SimpleNamespace(
        names=NAMES, regions=regions, primary=regions[0], run_recovery=aws.run_recovery,
        clients=aws, alerts_table="alerts",
    )  # fmt: skip

    def pause(_seconds: float) -> None:
        aws.runs += 2

    return measure(
        aws,  # type: ignore[arg-type]  # as far as it is used
        deployment,  # type: ignore[arg-type]  # as far as it is used
        (Webhook("us-east-1", aws.server.url, "key"),),
        seconds=seconds,
        receipts=folder / "receipts.jsonl",
        pause=pause,
    )


def test_what_recovery_uses_without_alerts_is_not_theirs(server: ScriptedServer, tmp_path: Path) -> None:
    """Its runs meanwhile are taken off, and told by themselves."""
    aws = Aws(server)
    usage = measured(aws, tmp_path)
    assert usage.alerts == usage.api_requests == 3
    assert usage.functions == {"reception": FunctionUsage(invocations=3, billed_ms=pytest.approx(300))}
    assert usage.units == {"alerts": Units(writes=30), "alerts/timestamp-index": Units(writes=15)}
    assert (usage.queue_sends, usage.log_bytes) == (3, 3_000)
    assert usage.recovery == FunctionUsage(invocations=1, billed_ms=pytest.approx(50))
    assert usage.recovery_units == {"alerts": Units(reads=2)}
    assert usage.recovery_log_bytes == 100
    assert aws.runs == 1 + 2 + 2 * IDLE_RUNS + 2


def test_calls_of_the_model_are_those_since_the_first_alert_and_rows_are_shared_by_retries(
    server: ScriptedServer, tmp_path: Path
) -> None:
    """Three alerts that were answered with one row of 200 bytes add a third of it each."""
    aws = Aws(server)
    usage = measured(aws, tmp_path)
    assert (usage.model_calls, usage.input_tokens) == (1, 200)
    assert usage.row_bytes == pytest.approx((100 + 8 + 2 + 4 + 92) / 3)
    assert usage.index_bytes == 0
    assert aws.latencies[-1] is QUICK


def test_nothing_is_measured_of_a_stack_that_takes_no_alert(server: ScriptedServer, tmp_path: Path) -> None:
    """A refusal is no cheap alert."""
    server.script[:] = [Answer(403)]
    with pytest.raises(MeasurementError, match="no alert was accepted"):
        measured(Aws(server), tmp_path, seconds=1.0)


def test_nothing_is_measured_where_recovery_does_not_run(
    server: ScriptedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its runs could not be taken off."""
    monkeypatch.setattr(measuring, "_RUNS_WITHIN_S", 0.2)
    with pytest.raises(MeasurementError, match="Recovery ran 0 times of 2"):
        measured(Aws(server, recovers=False), tmp_path)
