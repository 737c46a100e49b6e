"""The runner of checks: all at once, within a time, and nothing that was not seen counts as good."""

import threading
import time
from collections.abc import Callable

import pytest
from botocore.exceptions import EndpointConnectionError, NoCredentialsError, ParamValidationError

from clients.checks import WORKERS, Check, Finding, State, ok, run_checks
from tests.fakes.aws_refusals import refusal

REGIONS = ("us-east-1", "us-west-2")


def check(run: Callable[[str], Finding], *, id_: str = "one") -> Check:
    """A check of both regions."""
    return Check(
        id=id_, category="any", title="it holds", regions=REGIONS, actions=("sqs:ListQueues",), run=run
    )


def raising(error: Exception) -> Callable[[str], Finding]:
    """A check that AWS answers with an error."""

    def run(_region: str) -> Finding:
        raise error

    return run


def test_every_check_runs_in_every_region_in_its_order() -> None:
    """And each outcome says how long it took."""
    outcomes = run_checks([check(ok, id_="a"), check(ok, id_="b")])
    assert [(one.check.id, one.region, one.finding.reason) for one in outcomes] == [
        ("a", "us-east-1", "us-east-1"),
        ("a", "us-west-2", "us-west-2"),
        ("b", "us-east-1", "us-east-1"),
        ("b", "us-west-2", "us-west-2"),
    ]
    assert all(one.took_ms >= 0 for one in outcomes)
    assert run_checks([]) == []


@pytest.mark.parametrize(
    ("error", "reason", "hint"),
    [
        (refusal("AccessDenied"), "may not look", "sqs:ListQueues"),
        (refusal("UnauthorizedOperation"), "may not look", "sqs:ListQueues"),
        *(
            (refusal(code), f"does not take these credentials ({code})", "log in again")
            for code in (
                "AuthFailure",
                "ExpiredToken",
                "InvalidAccessKeyId",
                "InvalidClientTokenId",
                "SignatureDoesNotMatch",
                "UnrecognizedClientException",
            )
        ),
        (refusal("UnknownOperationException"), "no such call", ""),
        (refusal("Strange", status=501), "no such call", ""),
        (refusal("ThrottlingException"), "ThrottlingException: no", ""),
        (EndpointConnectionError(endpoint_url="here"), "no answer", ""),
        (NoCredentialsError(), "no answer", "credentials"),
    ],
)
def test_what_could_not_be_seen_is_unknown(error: Exception, reason: str, hint: str) -> None:
    """Never ok, and never failed: nobody knows."""
    finding = run_checks([check(raising(error))])[0].finding
    assert finding.state == State.UNKNOWN
    assert reason in finding.reason
    assert hint in finding.hint


def test_a_check_that_does_not_end_in_time_is_unknown_and_holds_up_no_other() -> None:
    """Nor does one region hold up the other."""
    released = threading.Event()

    def run(region: str) -> Finding:
        if region == "us-west-2":
            released.wait(30)
        return ok(region)

    begun = time.monotonic()
    here, there = run_checks([check(run)], within_s=0.2)
    released.set()
    assert time.monotonic() - begun < 10
    assert (here.finding.state, there.finding.state) == (State.OK, State.UNKNOWN)
    assert "no answer within 0.2 s" in there.finding.reason


def test_an_interruption_begins_no_further_check_and_stops_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else Ctrl-C takes as long as all the checks would, since the process ends with its last thread."""
    begun: list[threading.Thread] = []
    stopped = threading.Event()

    def run(region: str) -> Finding:
        begun.append(threading.current_thread())
        assert stopped.wait(30)
        return ok(region)

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("clients.checks.wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_checks([check(run)] * WORKERS, stopped=stopped)
    for thread in begun:
        thread.join(30)
    assert len(begun) <= WORKERS
    assert stopped.is_set()


@pytest.mark.parametrize("error", [KeyError("Table"), ParamValidationError(report="no such parameter")])
def test_a_fault_of_the_check_itself_is_no_finding(error: Exception) -> None:
    """It is raised, and not taken for something unknown."""
    with pytest.raises(type(error)):
        run_checks([check(raising(error))])
