"""How long the stand-in for Claude takes: a distribution as told, the same for the same seed."""

from itertools import islice
from statistics import quantiles

import msgspec
import pytest

from emulator.claude_latency import HONEST, MAX_S, QUICK, ClaudeLatency, fixed


def test_samples_have_the_percentiles_that_were_asked_for() -> None:
    """Of 20,000 samples of a seed, within 3 %."""
    cuts = quantiles(islice(HONEST.samples(), 20_000), n=100)
    assert (cuts[49], cuts[94]) == pytest.approx((HONEST.p50_s, HONEST.p95_s), rel=0.03)


def test_same_seed_gives_the_same_samples_and_another_seed_others() -> None:
    """Two runs under load can be compared."""
    other = msgspec.structs.replace(HONEST, seed=HONEST.seed + 1)
    first, again, others = ([*islice(each.samples(), 20)] for each in (HONEST, HONEST, other))
    assert first == again != others


@pytest.mark.parametrize("latency_s", [0.0, 0.05, MAX_S])
def test_fixed_latency_never_varies(latency_s: float) -> None:
    """What tests and the demo use."""
    assert set(islice(fixed(latency_s).samples(), 20)) == {latency_s}


def test_no_sample_is_longer_than_anybody_waits() -> None:
    """A long tail ends at the SDK's own timeout."""
    slow = ClaudeLatency(p50_s=MAX_S / 2, p95_s=MAX_S, label="a test's")
    assert max(islice(slow.samples(), 1_000)) == MAX_S


def test_text_says_where_the_numbers_come_from() -> None:
    """It stands beside every figure that was measured with them."""
    assert str(HONEST) == "log-normal, p50 4 s, p95 12 s (assumed)"
    assert str(QUICK) == "0.05 s each (fixed)"


@pytest.mark.parametrize(
    ("p50_s", "p95_s"), [(-1.0, 1.0), (2.0, 1.0), (1.0, MAX_S + 1), (0.0, 1.0), (float("nan"), 1.0)]
)
def test_what_is_no_distribution_is_refused_with_the_rule(p50_s: float, p95_s: float) -> None:
    """Wherever it is made; over the control API too."""
    with pytest.raises(ValueError, match=r"0 < p50_s <= p95_s <= 600 seconds"):
        ClaudeLatency(p50_s=p50_s, p95_s=p95_s, label="a test's")


def test_what_is_no_distribution_is_refused_by_the_control_api() -> None:
    """A client of another make gets a refusal, before anything is changed."""
    with pytest.raises(msgspec.ValidationError, match=r"0 < p50_s <= p95_s"):
        msgspec.json.decode(b'{"p50_s": 2, "p95_s": 1, "label": ""}', type=ClaudeLatency)
