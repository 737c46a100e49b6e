"""Measures `responder diagnose` by 20 faults: `make bench-diagnosis` or `python -m benchmarks.diagnosis`.

Ten faults are planted one by one; ten pairs are drawn by seed from the chaos actions. Under alerts to both
regions each is diagnosed once, some time after it fired, and its first hint is run as people would paste it.

Right: the cause that is named first was planted, and every planted fault that fired is named. Unknown: one of
them is not named, and nothing is named first that was not planted. Wrong: anything else. Exits 1 unless 18
are right, none is wrong, and every hint works.
"""

import argparse
import json
import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks.diagnosis.faults import Configuration, Fault, pairs, singles
from benchmarks.local_stack import RESPONDER, local_stack
from chaos import actions
from chaos.control import calm
from chaos.probes import INVOKED, came_to_rest
from chaos.target import Target, open_target
from clients.receipts import write_report
from clients.waiting import wait_for
from emulator.client import Emulator
from topology.records import CLAUDE_BREAKER, rate_record
from topology.tables import COORDINATION

SEED: Final = 15
RIGHT_GOAL: Final = 18
UNDER_WAY_S: Final = 2.0
"""From the burst of alerts until the faults are planted: some are in the queues then, some at a worker."""

FIRED_WITHIN_S: Final = 45.0
_POLL_S: Final = 0.5
SETTLED_S: Final = 15.0
"""From when every fault has fired until it is diagnosed: above the local lease, below Recovery's minute."""

AT_REST_WITHIN_S: Final = 120.0
_MINUTE_S: Final = 60
"""CloudWatch counts by it: each trial begins with one, or it would be blamed for errors of the one before."""

_BACKTICKED: Final = re.compile(r"`([^`]+)`")


@dataclass(frozen=True)
class Result:
    """The outcome of one trial. `named`: the causes' ids in their order; `hint_code`: -1 for no command.

    `report`: what `responder diagnose --json` said.
    """

    faults: tuple[str, ...]
    demanded: tuple[str, ...]
    named: tuple[str, ...]
    verdict: str
    outcome: str
    hint: str
    hint_code: int
    took_s: float
    report: Mapping[str, Any]


def main(arguments: Sequence[str] | None = None) -> int:
    """Bring a stack up, plant and diagnose each fault, print the outcomes; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=SEED, help="draws the pairs")
    parser.add_argument(
        "--only", type=int, action="append", help="run this trial only, from 1; again for more"
    )
    parser.add_argument("--report", type=Path, help="write the outcomes there as JSON")
    given = parser.parse_args(arguments)
    trials = dict(enumerate([*((fault,) for fault in singles()), *pairs(given.seed)], start=1))
    if unknown := set(given.only or ()) - trials.keys():
        parser.error(f"--only is from 1 to {len(trials)}, not {min(unknown)}")
    results = []
    with local_stack() as (emulator, _):
        configuration = {"target": "local", "run_dir": str(emulator.run_dir), "recovery": INVOKED}
        for number in sorted(set(given.only or trials)):
            results.append(_try(emulator, configuration, trials[number]))
            sys.stdout.write(f"{number:2}  {_line(results[-1])}\n")
            sys.stdout.flush()
    outcomes = [one.outcome for one in results]
    hints = sum(one.hint_code >= 0 for one in results)
    sys.stdout.write(
        f"seed {given.seed}: {outcomes.count('right')} right, {outcomes.count('unknown')} unknown, "
        f"{outcomes.count('wrong')} wrong of {len(results)}; {hints} first hints work\n"
    )
    if given.report:
        write_report(given.report, {"seed": given.seed, "trials": [asdict(one) for one in results]})
    good = outcomes.count("wrong") == 0 and outcomes.count("right") >= min(RIGHT_GOAL, len(results))
    return 0 if good and hints == len(results) else 1


def _try(emulator: Emulator, configuration: Configuration, faults: Sequence[Fault]) -> Result:
    target = open_target(configuration)
    undo: list[Callable[[], object]] = []
    time.sleep(_MINUTE_S - time.time() % _MINUTE_S)
    begun_s, begun_ms = time.monotonic(), time.time_ns() // 1_000_000
    try:
        actions.start_alerts(burst=12, per_s=1, configuration=configuration, distinct_causes=True)
        time.sleep(UNDER_WAY_S)
        for fault in sorted(faults, key=_turn):
            undo += filter(None, [fault.plant(target, configuration)])
        demanded = _fired(emulator, faults, begun_ms)
        time.sleep(SETTLED_S)
        since_s = max(round(time.monotonic() - begun_s), 1)
        done = _run(f"{RESPONDER} diagnose --json --since {since_s}s --run-dir {emulator.run_dir}")
        report = json.loads(done.stdout)
        hint, code = _pasted(report)
    finally:
        for act in undo:
            act()
        calm(target)
        _clear(target)
        came_to_rest(target, configuration, within_s=AT_REST_WITHIN_S)
    named = tuple(cause["id"] for cause in report["causes"])
    return Result(
        faults=tuple(one.name for one in faults),
        demanded=tuple(one.name for one in demanded),
        named=named,
        verdict=report["verdict"],
        outcome=outcome_of(named, faults, demanded),
        hint=hint,
        hint_code=code,
        took_s=round(time.monotonic() - begun_s, 1),
        report=report,
    )


def _turn(fault: Fault) -> int:
    """A purge takes what is there by then but poison, and a lost region takes no fault any more."""
    first = fault.name.partition(" ")[0]
    return {"purge": 1, "poison": 2, "lose": 3}.get(first, 0)


def outcome_of(named: Sequence[str], faults: Sequence[Fault], demanded: Sequence[Fault]) -> str:
    """Right, unknown or wrong, as this module's text says; `demanded`: those of `faults` that fired."""
    planted = frozenset[str]().union(*(fault.causes for fault in faults))
    if named and named[0] not in planted:
        return "wrong"
    return "right" if named and all(fault.causes & set(named) for fault in demanded) else "unknown"


def _fired(emulator: Emulator, faults: Sequence[Fault], since_ms: int) -> list[Fault]:
    """Those that the emulator's log has, or that hold by themselves, once all do or the time is over."""

    def fired() -> list[Fault]:
        log = {
            (one.service, one.kind)
            for one in emulator.fault_log()
            if one.at_ms >= since_ms and not one.what.startswith("0 ")
        }
        return [fault for fault in faults if fault.logged is None or fault.logged in log]

    return wait_for(
        fired, lambda found: len(found) == len(faults), within_s=FIRED_WITHIN_S, polls_s=(_POLL_S, _POLL_S)
    )


def _pasted(report: Mapping[str, Any]) -> tuple[str, int]:
    """The command of the likeliest cause, and how it ended: -1 for none, or one that does not work."""
    hints = [cause["next"] for cause in report["causes"]] + [""]
    command = _BACKTICKED.search(hints[0])
    if command is None:
        return hints[0], -1
    done = _run(command[1])
    works = done.returncode == 0 or (command[1].startswith("responder") and done.returncode == 1)
    return command[1], done.returncode if works and "error:" not in done.stderr else -1


def _run(command: str) -> subprocess.CompletedProcess[str]:
    environment = {name: text for name, text in os.environ.items() if not name.startswith("AWS_")}
    environment |= {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_PAGER": ""}
    environment["PATH"] = f"{Path(RESPONDER).parent}{os.pathsep}{environment['PATH']}"
    words = shlex.split(command)
    return subprocess.run(words, env=environment, capture_output=True, text=True, timeout=300, check=False)


def _clear(target: Target) -> None:
    """Close the breaker and end the back-off, as if their time were over; empty the dead-letter queues."""
    deployment = target.deployment
    region = deployment.primary.region
    client = deployment.clients.client("dynamodb", region)
    for name in (CLAUDE_BREAKER, rate_record("")):
        key = {COORDINATION.hash_key.name: {"S": name}}
        client.delete_item(TableName=deployment.coordination_table, Key=key)
    for endpoints in deployment.regions:
        sqs = deployment.clients.client("sqs", endpoints.region)
        for url in (endpoints.dead_letter_queue_url, endpoints.distribution_dead_letter_queue_url):
            sqs.purge_queue(QueueUrl=url)


def _line(result: Result) -> str:
    return (
        f"{result.outcome:7}  {' + '.join(result.faults)}: {', '.join(result.named) or 'nothing named'}"
        f"  ({result.took_s:g} s; `{result.hint}` {result.hint_code})"
    )


if __name__ == "__main__":
    raise SystemExit(main())
