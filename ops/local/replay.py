"""`responder local replay`: sends the demo's alerts, then waits until they are at rest."""

import shlex
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

from audit.in_flight import in_flight
from clients.load import Arrival
from clients.sender import Tally, Webhook
from clients.streams import RecordedPost, read_stream, replay
from emulator.attached_stack import attached_deployment
from ops.demo.progress import ProgressLine
from ops.local import running
from ops.options import RunDir, check_writable_file

AT_REST_WITHIN_S: Final = 120.0
"""Recovery runs each minute, and what it re-enqueues takes seconds."""

POLL_S: Final = 0.5


def replay_stream(
    receipts: Annotated[
        Path | None,
        typer.Option(help="Where a line for each 202'd body is appended; in the run folder if left out."),
    ] = None,
    *,
    no_wait: Annotated[
        bool, typer.Option("--no-wait", help="End when all is sent, while alerts are still under way.")
    ] = False,
    run_dir: RunDir = running.RUN_DIR,
) -> None:
    """Send the demo's alerts to the running stack, with receipts that `responder audit` reads.

    Exits 1 if one was refused or given up, answered 202 without its ids, or is not at rest in time.
    """
    check_writable_file(receipts, "--receipts")
    deployment = attached_deployment(running.attach(run_dir))
    console, path = Console(), receipts or run_dir / running.RECEIPTS_FILE
    audit = f"responder audit --receipts {shlex.quote(str(path))}" if receipts else "responder audit"
    audit = running.command_line(audit, run_dir)
    try:
        tally, ids = send(read_stream(), running.webhooks_of(deployment), path, console)
        at_rest = no_wait or wait_at_rest(lambda: in_flight(deployment, path) & ids, console)
    except KeyboardInterrupt as interrupt:
        raise KeyboardInterrupt(f"what was accepted goes on; later: {audit}") from interrupt
    console.print(f"now try: {audit}", soft_wrap=True, markup=False)
    if tally.given_up or tally.refused or tally.unnamed or not at_rest:
        raise typer.Exit(1)


def send(
    posts: Sequence[RecordedPost], webhooks: tuple[Webhook, ...], path: Path, console: Console
) -> tuple[Tally, set[str]]:
    """Post all, with receipts in `path`, and print the tally, even if it is interrupted.

    Returns what happened to the posts, and the ids of the alerts that were promised now: an earlier replay's
    receipts are in the file too.

    Raises:
        LoadFailedError: the load died.
    """
    ids: set[str] = set()

    def keep(arrival: Arrival) -> None:
        ids.update(receipt.alert_id for receipt in arrival.outcome.alerts)

    progress, load = ProgressLine(console), replay(posts, webhooks, path, ended=keep)
    load.start()
    try:
        while not load.wait(POLL_S):
            progress.show(f"posted {load.tally.posted}, accepted {load.tally.accepted}")
    finally:
        load.halt()
        progress.close()
        _show(load.tally, path, console)
    return load.stop(), ids


def wait_at_rest(
    under_way: Callable[[], set[str]], console: Console, *, within_s: float = AT_REST_WITHIN_S
) -> bool:
    """Wait until no alert is `under_way`, and print how long it took; False if some are `within_s` later.

    Raises:
        LedgerUnreadableError: no region answers, so the answer is unknown.
    """
    progress, begun = ProgressLine(console), time.monotonic()
    try:
        while waiting := len(under_way()):
            if time.monotonic() - begun > within_s:
                console.print(f"[red]{waiting} alerts are not at rest after {within_s:g} s[/]")
                return False
            progress.show(f"{waiting} alerts are on their way")
            time.sleep(POLL_S)
    finally:
        progress.close()
    console.print(f"all at rest after {time.monotonic() - begun:.0f} s")
    return True


def _show(tally: Tally, path: Path, console: Console) -> None:
    regions = ", ".join(f"{region} {count}" for region, count in sorted(tally.accepted_by_region.items()))
    console.print(
        f"accepted {tally.accepted} ({regions}); refused {tally.refused.total()}; gave up {tally.given_up}"
        + (f"; answered 202 without ids {tally.unnamed}" if tally.unnamed else "")
    )
    console.print(f"receipts: {path}", soft_wrap=True, markup=False)
