"""What becomes of an invocation, by each mechanism that holds functions here."""

import json
import re
import zipfile
from pathlib import Path

import psutil
import pytest

from emulator.lambda_host import environment
from emulator.lambda_host.confinement import HostError, Mechanism
from emulator.lambda_host.host import LambdaHost
from emulator.lambda_host.invocations import Outcome
from emulator.lambda_host.processor import PERIOD_S
from tests.emulator.lambda_host.conftest import Make

REPORT = re.compile(
    r"REPORT RequestId: [0-9a-f-]{36}\tDuration: (?P<duration>\d+\.\d\d) ms\t"
    r"Billed Duration: (?P<billed>\d+) ms\tMemory Size: (?P<memory>\d+) MB\t"
    r"Max Memory Used: (?P<used>\d+) MB(\tInit Duration: (?P<init>\d+\.\d\d) ms)?"
)


def test_the_first_invocation_is_cold_and_pays_for_init(function: Make) -> None:
    """REPORT lines have Lambda's form; INIT is told, and billed, once."""
    made = function("app.echo")
    cold, warm = made.invoke(b'{"a": 1}'), made.invoke(b'"again"')
    assert (cold.outcome, warm.outcome) == (Outcome.OK, Outcome.OK)
    assert (json.loads(cold.answer), warm.answer) == ({"a": 1}, b'"again"')
    assert cold.init_ms is not None
    assert warm.init_ms is None
    first, second = REPORT.fullmatch(cold.report), REPORT.fullmatch(warm.report)
    assert first is not None
    assert second is not None
    assert first["init"] == f"{cold.init_ms:.2f}"
    assert second["init"] is None
    assert int(first["billed"]) == cold.billed_ms >= cold.duration_ms + cold.init_ms - 0.01
    assert int(second["billed"]) == warm.billed_ms < warm.duration_ms + 1
    assert first["memory"] == "1024"
    assert 5 < int(first["used"]) == cold.max_memory_mb < 100


def test_a_function_sees_its_package_and_nothing_else_of_this_python(
    function: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the package lacks fails here as on Lambda; its environment is Lambda's and the given variables."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-of-a-person")
    made = function("app.look", memory_mb=1_025, timeout_s=7, AWS_REGION="eu-west-1", MINE="yes")
    seen = json.loads(
        made.invoke(b'["app", "awslambdaric", "simplejson", "topology", "msgspec", "botocore"]').answer
    )
    assert seen["modules"] == ["app", "awslambdaric", "simplejson"]
    variables = seen["environment"]
    assert variables["MINE"] == "yes"
    assert variables["AWS_REGION"] == "eu-west-1"
    assert variables["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "1025"
    assert "ANTHROPIC_API_KEY" not in variables
    assert 0 < seen["left_ms"] <= 7_000


def test_a_zip_is_run_as_its_folder_is(host: LambdaHost, package: Path, tmp_path: Path) -> None:
    """The packages that the build makes are zips."""
    with zipfile.ZipFile(tmp_path / "app.zip", "w") as archive:
        archive.write(package / "app.py", "app.py")
    made = host.environment(
        tmp_path / "app.zip", handler="app.echo", memory_mb=512, timeout_s=30, variables={}
    )
    assert made.invoke(b"[1]").answer == b"[1]"


@pytest.mark.parametrize("memory_mb", [256, 884])
def test_a_function_gets_no_more_processor_than_its_memory_buys(
    host: LambdaHost, function: Make, memory_mb: int
) -> None:
    """A busy machine makes it slower; but who looks at it late, by stopping it, may give it more."""
    exact = 0.7 if host.mechanism is Mechanism.DUTY_CYCLE else 0.95
    made = function("app.compute", memory_mb=memory_mb)
    used_s = 0.15
    got = [made.invoke(str(used_s).encode()) for _ in range(2)]
    share = memory_mb / 1_769
    for invocation in got:
        assert invocation.target_share == share
        least_s = used_s / share - 2 * PERIOD_S
        assert invocation.duration_ms / 1000 >= least_s * exact
        assert invocation.cpu_share is None or invocation.cpu_share < share / exact * 1.05


def test_what_needs_more_memory_than_there_is_ends_as_on_lambda(function: Make) -> None:
    """It is killed, the caller is told of an exit, REPORT of the memory; the next invocation starts anew."""
    made = function("app.allocate", memory_mb=256)
    fits, killed, again = made.invoke(b"40"), made.invoke(b"400"), made.invoke(b"10")
    assert (fits.outcome, killed.outcome, again.outcome) == (Outcome.OK, Outcome.OUT_OF_MEMORY, Outcome.OK)
    assert killed.error == "Runtime.ExitError: Runtime exited with error: signal: killed"
    assert json.loads(killed.answer)["errorMessage"].endswith(
        "Error: Runtime exited with error: signal: killed"
    )
    assert killed.report.endswith("\tStatus: error\tError Type: Runtime.OutOfMemory")
    assert killed.max_memory_mb == 256
    assert again.init_ms is not None


def test_what_takes_too_long_is_ended_at_its_timeout(function: Make) -> None:
    """The next invocation repeats INIT within itself: its duration has it, its REPORT does not."""
    made = function("app.sleep", timeout_s=2.0)
    made.invoke(b"0")
    late, next_one = made.invoke(b"5"), made.invoke(b"0")
    assert late.outcome is Outcome.TIMEOUT
    assert (late.duration_ms, late.billed_ms) == (2_000, 2_000)
    assert late.error == "Sandbox.Timedout: Task timed out after 2.00 seconds"
    assert late.report.endswith("\tStatus: timeout")
    assert next_one.outcome is Outcome.OK
    assert next_one.init_ms is not None
    assert next_one.duration_ms >= next_one.init_ms
    assert "Init Duration" not in next_one.report


def test_a_handler_that_raises_keeps_its_process(function: Make) -> None:
    """The error is told with its type, and what the module knows is still there."""
    made = function("app.count")
    before, failed, after = made.invoke(b"1"), made.invoke(b'"fail"'), made.invoke(b"1")
    assert failed.outcome is Outcome.FUNCTION_ERROR
    assert failed.error == "ValueError: bad event"
    assert json.loads(failed.answer)["errorType"] == "ValueError"
    assert "Status" not in failed.report
    process, calls = json.loads(before.answer)
    assert json.loads(after.answer) == [process, calls + 2]


def test_a_handler_that_exits_loses_its_process(function: Make) -> None:
    """The exit's status is told, and the next invocation is cold."""
    made = function("app.leave")
    first, second = made.invoke(b"1"), made.invoke(b"1")
    assert first.outcome is Outcome.FUNCTION_ERROR
    assert first.error == "Runtime.ExitError: Runtime exited with error: exit status 3"
    assert first.report.endswith("\tStatus: error\tError Type: Runtime.ExitError")
    assert second.init_ms is not None


def test_a_module_that_does_not_load_fails_twice_and_says_why(function: Make) -> None:
    """INIT fails, is repeated within the invocation as on Lambda, and the import's error is told."""
    made = function("broken.echo")
    failed = made.invoke(b"1")
    assert failed.outcome is Outcome.INIT_FAILED
    assert failed.error.startswith(
        "Runtime.ImportModuleError: Unable to import module 'broken': No module named"
    )
    assert failed.report.endswith("\tStatus: error\tError Type: Runtime.ImportModuleError")
    assert failed.duration_ms == failed.init_ms
    assert "not_in_the_package" in made.log()
    assert failed.max_memory_mb > 5


def test_an_init_beyond_its_limit_is_repeated_within_the_invocation(
    function: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It succeeds if the function's timeout allows it, and never starts if not."""
    monkeypatch.setattr(environment, "LAMBDA_INIT_TIMEOUT_S", 0.3)
    started, never = function("slow.echo").invoke(b"1"), function("slow.echo", timeout_s=0.5).invoke(b"1")
    assert started.outcome is Outcome.OK
    assert started.duration_ms >= 600
    assert "Init Duration" not in started.report
    assert never.outcome is Outcome.INIT_FAILED
    assert never.error == "Sandbox.Timedout: Task timed out after 0.50 seconds"
    assert never.report.endswith("\tStatus: timeout")
    assert never.duration_ms == 500


def test_a_closed_environment_leaves_no_process_behind(function: Make) -> None:
    """Not even one that the function started."""
    made = function("app.bear")
    child = psutil.Process(json.loads(made.invoke(b"1").answer))
    made.close()
    gone, alive = psutil.wait_procs([child], timeout=5)
    assert gone == [child], alive
    with pytest.raises(RuntimeError, match="closed"):
        made.invoke(b"1")


def test_a_size_beyond_this_machine_is_refused(host: LambdaHost, package: Path) -> None:
    """Lambda's own bounds, and the cores that are here."""
    for memory_mb, reason in [(127, "128 to 10,240 MB"), (10_241, "128 to 10,240 MB")]:
        with pytest.raises(HostError, match=reason):
            host.environment(package, handler="app.echo", memory_mb=memory_mb, timeout_s=1, variables={})


def test_what_is_no_package_is_refused(host: LambdaHost, tmp_path: Path) -> None:
    """A file that is no zip is told at once, not as a failed INIT."""
    (tmp_path / "app.zip").write_text("no zip", encoding="utf-8")
    with pytest.raises(HostError, match="neither a folder nor a zip"):
        host.environment(tmp_path / "app.zip", handler="app.echo", memory_mb=128, timeout_s=1, variables={})
