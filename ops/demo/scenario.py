"""The demo's run: bring up, replay, lose the primary, finish in the failover, start it again, count.

It acts as people would: a sender that retries on the other region, and an operator who kills a process
group. Nothing in the pipeline knows that it is a demo.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from rich.console import Console

from audit.comparison import SlackPost
from audit.in_flight import in_flight
from audit.ledger import read_ledger
from audit.shown import scan_analysed, shown_of
from audit.stack import audit_stack
from clients.interrupts import interrupt_on_ending
from clients.load import Load
from clients.receipts import Receipt, ReceiptsFile, read_receipts
from clients.sender import Sender, Tally, Webhook
from clients.streams import RecordedPost, read_stream, replay
from emulator.client import Emulator
from emulator.local_stack import LocalStack, deploy
from ops.demo.progress import ProgressLine
from ops.demo.report import DemoReport, make_report
from ops.demo.slack_view import view
from ops.local.running import local_config, webhooks_of
from ops.tables import print_table
from topology.errors import ExplainedError

KILL_AT: Final = 0.5
RETURN_AT: Final = 0.92
"""Fractions of the stream: the primary dies after the first, and serves again for what follows the second."""

AT_REST_WITHIN_S: Final = 120.0
"""Recovery runs each minute, and what it re-enqueues takes seconds."""

POLL_S: Final = 0.5
FIRST_POLL_S: Final = 0.1
MESSAGES_SHOWN: Final = 2

FIRST_ALERT: Final = {
    "source": "demo",
    "title": "Checkout answers slowly",
    "message": "p99 of /checkout is 4.2 s, usual is 0.6 s; connection pool of orders-db is exhausted",
    "severity": "CRITICAL",
    "component": "checkout",
}


class DemoFailedError(ExplainedError):
    """The demo cannot go on; the stack is taken down, and its logs stay."""


def run_demo(*, run_dir: Path, report_path: Path, console: Console) -> DemoReport:
    """Run the whole demo, print its progress, and write the report. SIGTERM and SIGHUP end it as Ctrl-C does.

    Raises:
        DemoFailedError: an alert does not get to Slack.
        LoadFailedError: the sender died.
    """
    interrupt_on_ending()
    begun = time.monotonic()
    console.rule("[bold]1. Two regions on this machine")
    with Emulator.start(run_dir, regions=local_config().regions) as emulator:
        stack = deploy(emulator, progress=lambda line: console.print(f"  {line} …"))
        counts = f"{stack.deployed.created} resources in {stack.deploy_s:.1f} s"
        console.print(f"  deployed {counts}; real Lambdas, queues and tables; Claude and Slack are stand-ins")
        demo = _Demo(stack, run_dir / "receipts.jsonl", console)
        demo.run()
        report = demo.count(time.monotonic() - begun)
    print_table(report.table(), console)
    for alert_id, problem in report.unaccounted_ids.items():
        console.print(f"[bold red]unaccounted[/] {alert_id}: {problem}", soft_wrap=True)
    console.print(
        f"report: {report_path}   took {time.monotonic() - begun:.0f} s   no process is left running",
        soft_wrap=True,
    )
    report.write(report_path)
    return report


def wait_in_slack(
    ids: frozenset[str], messages: Callable[[], Iterable[SlackPost]], *, within_s: float, logs: Path
) -> None:
    """Wait until one of these alerts is in Slack; the error names the folder of the `logs`.

    Raises:
        DemoFailedError: none is in time.
    """
    deadline = time.monotonic() + within_s
    while not any(ids.intersection(message.alert_ids) for message in messages()):
        if time.monotonic() > deadline:
            raise DemoFailedError(
                f"{', '.join(sorted(ids)) or 'an alert that no region accepted'} is not in Slack after "
                f"{within_s:g} s; look into the logs in {logs}"
            )
        time.sleep(FIRST_POLL_S)


class _Demo:
    """One run of the demo against a stack that is up."""

    def __init__(self, stack: LocalStack, receipts_path: Path, console: Console) -> None:
        self._stack = stack
        self._emulator = stack.emulator
        self._receipts_path = receipts_path
        self._console = console
        self._webhooks = webhooks_of(stack.deployment)
        self._primary, self._failover = stack.deployment.primary.region, stack.deployment.failover.region
        self._tally = Tally()

    def run(self) -> None:
        """Send the three parts of the stream around the loss of the primary."""
        self._console.rule("[bold]2. One alert through each region; behind reception its functions are cold")
        with (
            ReceiptsFile(self._receipts_path) as receipts,
            ThreadPoolExecutor(len(self._webhooks)) as threads,
        ):
            sender = Sender(receipts, tally=self._tally)
            list(threads.map(lambda webhook: self._first_alert(sender, webhook), self._webhooks))
        self._show_messages()
        posts = read_stream()
        kill, back = int(len(posts) * KILL_AT), int(len(posts) * RETURN_AT)
        self._console.rule(f"[bold]3. Alerts go in at {self._primary} and come out in Slack")
        load = self._begin(posts[:back])
        self._watch(load, until=time.monotonic() + posts[kill - 1].at_s - posts[0].at_s)
        self._console.rule(f"[bold red]4. {self._primary} is killed (SIGKILL, all of it)")
        self._emulator.kill(self._primary)
        self._watch(load)
        self._console.rule(f"[bold]5. {self._failover} finishes what {self._primary} had accepted")
        self._wait_at_rest()
        self._console.rule(f"[bold green]6. {self._primary} comes back and serves again")
        self._emulator.start_region(self._primary)
        self._watch(self._begin(posts[back:]))
        self._wait_at_rest()

    def _first_alert(self, sender: Sender, webhook: Webhook) -> None:
        """Send one alert through one region and wait for it in Slack, within `AT_REST_WITHIN_S`."""
        begun = time.monotonic()
        outcome = sender.post({**FIRST_ALERT, "host": webhook.region}, (webhook,))
        ids = frozenset(receipt.alert_id for receipt in outcome.alerts)
        emulator = self._emulator
        wait_in_slack(ids, emulator.slack_messages, within_s=AT_REST_WITHIN_S, logs=emulator.run_dir)
        self._console.print(f"  through {webhook.region} in {time.monotonic() - begun:.1f} s")

    def _begin(self, posts: Sequence[RecordedPost]) -> Load:
        load = replay(posts, self._webhooks, self._receipts_path, tally=self._tally)
        load.start()
        return load

    def _watch(self, load: Load, until: float | None = None) -> None:
        """Update the progress line until the load has ended, or until then, by the monotonic clock."""
        progress = ProgressLine(self._console)
        try:
            while not load.wait(POLL_S if until is None else max(0.0, min(POLL_S, until - time.monotonic()))):
                if until is not None and time.monotonic() >= until:
                    return
                progress.show(
                    f"posted {self._tally.posted}, accepted "
                    + ", ".join(
                        f"{w.region} {self._tally.accepted_by_region[w.region]}" for w in self._webhooks
                    )
                    + f"; in Slack {self._emulator.status().slack_messages}; retries {self._tally.retries}"
                )
            load.stop()
        finally:
            progress.close()

    def _wait_at_rest(self) -> None:
        """Wait until no accepted alert is open; past the deadline the audit names those that still are."""
        deadline = time.monotonic() + AT_REST_WITHIN_S
        while open_ids := in_flight(self._stack.deployment, self._receipts_path):
            if time.monotonic() > deadline:
                waited = f"{len(open_ids)} alerts are not at rest after {AT_REST_WITHIN_S:.0f} s"
                self._console.print(f"[bold red]{waited}[/]; logs: {self._emulator.run_dir}")
                return
            time.sleep(POLL_S)

    def _show_messages(self) -> None:
        for message in self._emulator.slack_messages()[:MESSAGES_SHOWN]:
            self._console.print(view(message.payload, channel=f"#{message.channel}"))

    def count(self, total_s: float) -> DemoReport:
        """Audit, and make the report."""
        receipts: list[Receipt] = list(read_receipts(self._receipts_path))
        messages = self._emulator.slack_messages()
        deployment = self._stack.deployment
        return make_report(
            outcome=audit_stack(deployment, receipts=self._receipts_path, slack=messages),
            receipts=receipts,
            ledger=read_ledger(deployment, self._failover).values(),
            messages=messages,
            shown=shown_of(
                messages,
                scan_analysed(deployment, self._failover),
                ids={receipt.alert_id for receipt in receipts},
            ),
            roles={e.region: e.role for e in deployment.regions},
            deploy_s=self._stack.deploy_s,
            total_s=total_s,
            tally=self._tally,
        )
