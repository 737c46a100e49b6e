"""What Lambda says of an invocation at the end of its log."""

import pytest

from emulator.lambda_host.invocations import Outcome
from loadtests.sizing.report_lines import NoReportError, read_report

WARM = (
    'START RequestId: 8f5\n{"message": "Using cached analysis"}\nEND RequestId: 8f5\n'
    "REPORT RequestId: 8f5\tDuration: 12.34 ms\tBilled Duration: 13 ms\tMemory Size: 512 MB\t"
    "Max Memory Used: 96 MB\t\n"
)
COLD = WARM.replace("\t\n", "\tInit Duration: 551.73 ms\t\n").replace("13 ms", "565 ms")
OF_INIT = "INIT_REPORT Init Duration: 9999.79 ms\tPhase: {phase}\tStatus: {status}\n"


def ended(words: str) -> str:
    """The log of an invocation that failed so."""
    return WARM.replace("\t\n", f"\t{words}\n")


def test_a_warm_invocation_has_no_init() -> None:
    """Times in ms, with what is billed."""
    report = read_report(WARM, failed=False)
    assert (report.outcome, report.cold, report.init_ms) == (Outcome.OK, False, None)
    assert (report.duration_ms, report.billed_ms, report.max_memory_mb) == (12.34, 13, 96)


def test_a_cold_one_has_and_it_is_billed() -> None:
    """It is beside the duration."""
    report = read_report(COLD, failed=False)
    assert (report.cold, report.init_ms, report.billed_ms) == (True, 551.73, 565)


@pytest.mark.parametrize(
    ("tail", "failed", "outcome"),
    [
        (WARM, True, Outcome.FUNCTION_ERROR),
        (ended("Status: timeout"), True, Outcome.TIMEOUT),
        (ended("Status: error\tError Type: Runtime.OutOfMemory"), True, Outcome.OUT_OF_MEMORY),
        (ended("Status: error\tError Type: Runtime.ExitError"), True, Outcome.FUNCTION_ERROR),
        (
            ended("Status: error\tError Type: Runtime.ExitError").replace("96 MB", "512 MB"),
            True,
            Outcome.OUT_OF_MEMORY,
        ),
        (
            OF_INIT.format(phase="init", status="error\tError Type: Runtime.OutOfMemory")
            + ended("Status: timeout"),
            True,
            Outcome.OUT_OF_MEMORY,
        ),
        (
            OF_INIT.format(phase="init", status="timeout")
            + OF_INIT.format(phase="invoke", status="timeout")
            + ended("Status: timeout"),
            True,
            Outcome.INIT_FAILED,
        ),
    ],
)
def test_each_way_of_failing_is_told_from_the_others(tail: str, failed: bool, outcome: Outcome) -> None:  # noqa: FBT001 - a case
    """As the local host tells them."""
    assert read_report(tail, failed=failed).outcome is outcome


def test_an_init_that_was_repeated_within_the_invocation_is_cold_and_no_failure() -> None:
    """Its time is a part of the duration, and billed; REPORT has no Init Duration then."""
    report = read_report(OF_INIT.format(phase="init", status="timeout") + WARM, failed=False)
    assert (report.outcome, report.cold, report.init_ms) == (Outcome.OK, True, None)


@pytest.mark.parametrize(
    "tail",
    ["", WARM.partition("REPORT")[0], WARM.partition("Billed")[0], WARM.replace("12.34 ms", "none")],
)
def test_a_log_without_report_is_refused_in_a_line(tail: str) -> None:
    """Nothing is assumed of what nobody measured."""
    with pytest.raises(NoReportError, match="without a REPORT line") as raised:
        read_report(tail, failed=False)
    assert "\n" not in str(raised.value)
