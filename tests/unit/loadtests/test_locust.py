"""Stock Locust runs the shapes: its own command, its own options, its own exit codes.

In processes of their own, since Locust makes greenlets of all threads of a process that imports it.
"""

import json
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lambda_packages import ROOT
from loadtests.headless import LoadNotRunError, LoadOptions, run
from tests.fakes.http_server import Answer, ScriptedServer

ACCEPTED = Answer(202, b'{"alerts": [{"alert_id": "a1", "status": "RECEIVED"}]}')
WITHIN_S = 60


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    """A webhook that accepts everything."""
    one = ScriptedServer([ACCEPTED])
    yield one
    one.stop()


class Locust:
    """Starts stock Locust in a folder; what is left of it is ended."""

    def __init__(self, folder: Path) -> None:
        """Keep reports and receipts in `folder`."""
        self.folder = folder
        self.report = folder / "report.json"
        self._slo = folder / "slo.yaml"
        self._slo.write_text("every: {http_ms.p95: <= 5000, refused: <= 0}\n")
        self._started: list[subprocess.Popen[str]] = []

    def start(self, *words: str, shape: str = "steady") -> "subprocess.Popen[str]":
        """Start it with these words."""
        command = [sys.executable, "-m", "locust", "-f", f"loadtests/{shape}.py", "--skip-log-setup", *words]
        process = subprocess.Popen(
            command, cwd=ROOT, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )  # fmt: skip
        self._started.append(process)
        return process

    def options(self, url: str) -> list[str]:
        """Twenty posts in two seconds to a webhook."""
        return [
            *("--headless", "--only-summary", "--host", url, "--per-s", "10", "--seconds", "2"),
            *("--slo", str(self._slo), "--report", str(self.report), "--receipts", str(self.folder / "r")),
        ]

    def end(self) -> None:
        """End what has not ended."""
        for process in self._started:
            if process.poll() is None:
                process.kill()
            process.communicate()


@pytest.fixture
def locust(tmp_path: Path) -> Iterator[Locust]:
    """Stock Locust."""
    one = Locust(tmp_path)
    yield one
    one.end()


def free_port() -> int:
    """A port that was free just now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def test_a_shape_runs_headless_and_its_report_and_pages_are_written(
    server: ScriptedServer, locust: Locust
) -> None:
    """Exit 0, the figures in the last line, Locust's own CSV and HTML with a row for the posts."""
    pages = ["--csv", str(locust.folder / "c"), "--html", str(locust.folder / "page.html")]
    process = locust.start(*locust.options(server.url), *pages)
    out, _ = process.communicate(timeout=WITHIN_S)
    assert process.returncode == 0, out
    assert out.strip().splitlines()[-1].startswith("load steady: 10.0 of 10.0 posts/s, accepted 20, ")
    assert json.loads(locust.report.read_text())["posted"] == 20
    assert re.search("^POST,host,20,0,", (locust.folder / "c_stats.csv").read_text(), re.MULTILINE)
    assert "POST" in (locust.folder / "page.html").read_text()


def test_a_master_and_two_workers_send_each_post_once(server: ScriptedServer, locust: Locust) -> None:
    """The workers share the load between them, and all three exit 0."""
    port = str(free_port())
    master = locust.start(
        *locust.options(server.url), "--master", "--master-bind-port", port, "--expect-workers", "2"
    )
    workers = [locust.start("--worker", "--master-port", port) for _ in range(2)]
    out, _ = master.communicate(timeout=WITHIN_S)
    assert master.returncode == 0, out
    assert [worker.wait(WITHIN_S) for worker in workers] == [0, 0]
    report = json.loads(locust.report.read_text())
    assert (report["workers"], report["posted"], report["http_ms"]["count"]) == (2, 20, 20)
    bodies = [json.loads(heard.body) for heard in server.heard if heard.body != b"{}"]
    ids = [body.get("event_id") or body["alerts"][0]["labels"]["event"] for body in bodies]
    assert len(ids) == len(set(ids)) == 20


def test_tags_choose_the_formats(server: ScriptedServer, locust: Locust) -> None:
    """As Locust's users know them; without any format there is nothing to send."""
    process = locust.start(*locust.options(server.url), "--tags", "alertmanager")
    out, _ = process.communicate(timeout=WITHIN_S)
    assert process.returncode == 0, out
    assert all("alerts" in json.loads(heard.body) for heard in server.heard if heard.body != b"{}")
    process = locust.start(*locust.options(server.url), "--tags", "nagios")
    out, _ = process.communicate(timeout=WITHIN_S)
    assert process.returncode == 1
    assert (
        out.strip().splitlines()[-1] == "error: --tags and --exclude-tags leave no format of alerts to send"
    )


def test_what_is_refused_is_a_failure_of_locust_and_of_the_thresholds(
    server: ScriptedServer, locust: Locust
) -> None:
    """A post that was not answered 202 never counts as a success."""
    server.script = [Answer(400)]
    process = locust.start(*locust.options(server.url), "--csv", str(locust.folder / "c"))
    process.communicate(timeout=WITHIN_S)
    assert process.returncode == 1
    assert "HTTP 400" in (locust.folder / "c_failures.csv").read_text()
    failures = json.loads(locust.report.read_text())["failures"]
    assert "refused is 20, not <= 0" in failures
    assert "no alert was accepted, so nothing is known of the stack" in failures


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--host", "http://127.0.0.1:9/"], "nothing answers at the webhook of host"),
        (["--host", "http://example.com/"], "--host takes a webhook on this machine"),
        (["--run-dir", "/nowhere"], "/nowhere"),
        (["--per-s", "0"], "--per-s is 0.01 to 10000, not 0"),
        (["--slo", "nowhere.yaml"], "the thresholds nowhere.yaml cannot be read"),
    ],
)
def test_bad_use_is_one_line_and_nothing_is_sent(locust: Locust, words: list[str], said: str) -> None:
    """Before Locust starts anything; exit 1."""
    process = locust.start("--headless", *words)
    out, _ = process.communicate(timeout=WITHIN_S)
    assert process.returncode == 1
    assert [line for line in out.splitlines() if line.startswith("error: ")] == out.strip().splitlines()
    assert said in out


def test_a_script_gets_the_report_of_a_run_and_one_line_where_there_is_none(
    server: ScriptedServer, tmp_path: Path
) -> None:
    """With the cause, as Locust said it."""
    slo = tmp_path / "slo.yaml"
    slo.write_text("every: {accepted: '>= 10'}\n")
    options = LoadOptions(host=server.url, per_s=10, seconds=1, slo=slo)
    report = run("steady", options, report=tmp_path / "report.json", receipts=tmp_path / "r")
    assert report.passed, report.failures
    server.script = [Answer(403)]
    with pytest.raises(LoadNotRunError, match=r"^host refuses the API key \(403\)"):
        run("steady", options, report=tmp_path / "report.json", receipts=tmp_path / "r")
