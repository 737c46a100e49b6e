"""What is said of the processor share that an invocation got."""

import pytest

from emulator.lambda_host import processor
from emulator.lambda_host.processor import CpuTimes, achieved_share, not_measurable

SHARE = 0.29
"""Of 512 MB: 5.8 ms of each 20."""


def times(*, used_ms: float, waited_ms: float, limited: int) -> CpuTimes:
    """Times in milliseconds."""
    return CpuTimes(used_s=used_ms / 1000, waited_s=waited_ms / 1000, limited=limited)


def test_a_long_computation_has_the_share_that_it_measured() -> None:
    """50 periods: the used by the whole, less the half periods at both ends."""
    got = achieved_share(SHARE, times(used_ms=290, waited_ms=710, limited=50), wall_s=1.0)
    assert got == pytest.approx(SHARE, rel=0.02)


@pytest.mark.parametrize(("used_ms", "limited"), [(377, 50), (203, 20)])
def test_a_limit_that_is_not_kept_shows(used_ms: float, limited: int) -> None:
    """Thirty percent more, or less since the cores were busy, are told as such."""
    got = achieved_share(SHARE, times(used_ms=used_ms, waited_ms=1000 - used_ms, limited=limited), wall_s=1.0)
    assert got == pytest.approx(used_ms / 1000, rel=0.02)


def test_whoever_waits_for_others_and_is_not_limited_has_no_share() -> None:
    """A handler that computes for 4 ms between calls got all that it wanted."""
    assert achieved_share(SHARE, times(used_ms=4, waited_ms=0.01, limited=0), wall_s=0.2) is None


def test_a_wait_that_the_limit_explains_is_not_a_low_share() -> None:
    """Two bursts that used up their period, and waited for the next one, within 20 ms each."""
    assert achieved_share(SHARE, times(used_ms=14, waited_ms=25, limited=2), wall_s=0.3) is None


def test_a_wait_for_a_busy_core_is_a_low_share() -> None:
    """Never limited, but a fifth of the time that it wanted a core there was none."""
    got = achieved_share(SHARE, times(used_ms=40, waited_ms=10, limited=0), wall_s=0.3)
    assert got == pytest.approx(SHARE * 0.8)


def test_waking_up_is_no_wait() -> None:
    """Less than half a millisecond, or than a hundredth of the duration, is what any machine takes."""
    assert achieved_share(SHARE, times(used_ms=0.3, waited_ms=0.4, limited=0), wall_s=0.001) is None
    assert achieved_share(SHARE, times(used_ms=8, waited_ms=2, limited=0), wall_s=0.3) is None


def test_above_one_vcpu_a_single_thread_is_never_limited() -> None:
    """It cannot use more than a core, which is no low share; a wait for a core still is one."""
    assert achieved_share(1.5, times(used_ms=995, waited_ms=5, limited=0), wall_s=1.0) is None
    assert achieved_share(1.5, times(used_ms=500, waited_ms=500, limited=0), wall_s=1.0) == pytest.approx(
        0.75
    )


def test_what_cannot_be_measured_here_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lambda's own range, and what the machine's cores are worth."""
    monkeypatch.setattr(processor, "cores", lambda: frozenset({0, 1}))
    assert not_measurable(128) is None
    assert not_measurable(3_538) is None
    assert not_measurable(3_539) == "3,539 MB comes with 2.0 vCPUs, and this machine has 2"
    assert not_measurable(127) == "Lambda has 128 to 10,240 MB, not 127"
    assert not_measurable(10_241) == "Lambda has 128 to 10,240 MB, not 10,241"


@pytest.mark.parametrize(
    ("ran_s", "delayed_s", "waited_s"),
    [
        ((0.03,), (0.05,), 0.05),
        ((0.03, 0.03, 0.03), (0.06, 0.05, 0.06), 0.0),
        ((0.03, 0.03, 0.03), (0.06, 0.10, 0.06), 0.04),
    ],
)
def test_threads_that_wait_for_each_other_are_not_held_up_by_the_machine(
    ran_s: tuple[float, ...], delayed_s: tuple[float, ...], waited_s: float
) -> None:
    """Each of three waits while the other two run; what is above that is somebody else's doing."""
    before = CpuTimes(used_s=1.0, limited=0, threads={0: (0.5, 0.5)})
    threads = dict(enumerate(zip(ran_s, delayed_s, strict=True)))
    threads[0] = (threads[0][0] + 0.5, threads[0][1] + 0.5)
    after = CpuTimes(used_s=1.0 + sum(ran_s), limited=0, threads=threads)
    assert after.since(before).waited_s == pytest.approx(waited_s)
