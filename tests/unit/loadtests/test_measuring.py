"""What a probe measures, from what became of each alert."""

import random
from collections.abc import Iterable
from dataclasses import replace

import pytest

from loadtests.throughput.measuring import AlertOutcome, growth_of, measure, served_per_s

SECONDS = 40.0


def alerts(
    *, per_s: float = 4.0, takes_s: float = 1.0, capacity_per_s: float | None = None, noise_s: float = 0.0
) -> list[AlertOutcome]:
    """The alerts of a probe; above its capacity the stack tells each later than the one before."""
    rng = random.Random(1)  # noqa: S311 - a seeded choice, no secret
    made, free_s = [], 0.0
    for number in range(round(per_s * SECONDS)):
        due_s = number / per_s
        free_s = max(due_s, free_s + (1 / capacity_per_s if capacity_per_s else 0.0))
        told_s = free_s + takes_s + rng.uniform(-noise_s, noise_s)
        made.append(
            AlertOutcome(
                due_s=due_s,
                ended_s=due_s + 0.1,
                status=202,
                critical=True,
                accepted_s=due_s + 0.1,
                told_s=told_s,
            )
        )
    return made


def measured(outcomes: Iterable[AlertOutcome]) -> dict[str, float | None]:
    """The measures by name."""
    return vars(measure(list(outcomes), slack_refused_percent=0.0, seconds=SECONDS))


def test_a_stack_that_follows_shows_its_latency_and_no_growth() -> None:
    """Latency counts from the acceptance; nothing is refused, untold or in a digest."""
    values = measured(alerts(noise_s=0.3))
    assert values["critical_p95_s"] == pytest.approx(0.9, abs=0.35)
    assert values["ordinary_p95_s"] is None
    assert values["growth_percent"] == pytest.approx(0, abs=0.7)
    assert (values["error_percent"], values["untold_percent"]) == (0, 0)
    assert (values["alone_percent"], values["analysed_percent"]) == (100, 100)


@pytest.mark.parametrize("over", [1.05, 1.2, 2.0])
def test_a_backlog_that_grows_shows_by_how_much(over: float) -> None:
    """Of what comes in a second, so much is not served: that is how latency grows."""
    values = measured(alerts(per_s=4.0, capacity_per_s=4.0 / over, noise_s=0.2))
    assert values["growth_percent"] == pytest.approx(100 * (over - 1), rel=0.25)
    assert values["growth_percent"] > 1.5


def test_a_spread_without_a_trend_is_no_growth() -> None:
    """Digests make latencies jump; only what surely grows counts."""
    rng = random.Random(3)  # noqa: S311 - a seeded choice, no secret
    times = [number / 4 for number in range(120)]
    assert growth_of(times, [rng.uniform(0, 8) for _ in times]) == pytest.approx(0, abs=0.02)
    assert growth_of(times[:3], times[:3]) is None


def in_digests(
    outcomes: list[AlertOutcome], *, each_s: float = 5.0, phase_s: float = 0.0
) -> list[AlertOutcome]:
    """The same alerts, but told by the next digest: one goes out every few seconds."""
    told = []
    for one in outcomes:
        window = int(((one.told_s or 0.0) + phase_s) // each_s) + 1
        told_s = window * each_s - phase_s
        told.append(replace(one, critical=False, told_s=told_s, digest_id=f"d{window}"))
    return told


@pytest.mark.parametrize("phase_s", [0.0, 1.0, 2.0, 3.0, 4.0])
def test_digests_of_a_stack_that_follows_are_no_growth(phase_s: float) -> None:
    """Within a digest who came first waits longest, wherever the probe happens to begin and end."""
    values = measured(in_digests(alerts(per_s=12, noise_s=0.3), phase_s=phase_s))
    assert values["alone_percent"] == 0
    assert values["growth_percent"] == pytest.approx(0, abs=1.0)


def test_digests_of_a_backlog_that_grows_show_it() -> None:
    """Each tells of what is older than the one before."""
    values = measured(in_digests(alerts(per_s=12, capacity_per_s=8)))
    assert values["growth_percent"] > 20


def test_the_class_whose_backlog_grows_is_the_one_that_counts() -> None:
    """CRITICAL alerts pass by, and must not hide what waits behind them."""
    growing = in_digests(alerts(per_s=12, capacity_per_s=8))
    assert measured([*alerts(per_s=6), *growing])["growth_percent"] > 20


def test_what_is_served_is_counted_in_the_steady_part() -> None:
    """An overloaded stack shows its capacity, also where it tells several at once."""
    assert served_per_s(alerts(per_s=8, capacity_per_s=4.0), seconds=SECONDS, analysed_only=False) == (
        pytest.approx(4.0, rel=0.01)
    )
    lumps = [
        replace(one, told_s=1.25 * (number // 5))
        for number, one in enumerate(alerts(per_s=8, capacity_per_s=4.0))
    ]
    assert served_per_s(lumps, seconds=SECONDS, analysed_only=False) == pytest.approx(4.0, rel=0.02)


def test_what_has_no_analysis_is_not_served_where_analyses_are_wanted() -> None:
    """The model's limit shows in those that have one."""
    half = [replace(one, analysed=number % 2 == 0) for number, one in enumerate(alerts())]
    assert served_per_s(half, seconds=SECONDS, analysed_only=True) == pytest.approx(2.0, rel=0.05)
    assert served_per_s(half, seconds=SECONDS, analysed_only=False) == pytest.approx(4.0, rel=0.02)
    assert measured(half)["analysed_percent"] == pytest.approx(50, abs=1)


def test_refused_and_untold_alerts_are_told_apart() -> None:
    """Shares of the accepted leave out what was refused, and the lead-in counts for nothing."""
    made = alerts()
    refused = [replace(one, status=503, accepted_s=None, told_s=None) for one in made[40:60]]
    untold = [replace(one, told_s=None) for one in made[60:70]]
    values = measured([*(replace(one, status=None) for one in made[:40]), *refused, *untold, *made[70:]])
    assert values["error_percent"] == pytest.approx(100 * 20 / 120)
    assert values["untold_percent"] == pytest.approx(100 * 10 / 100)


def test_nothing_told_is_unknown_and_serves_nothing() -> None:
    """No figure is made up."""
    values = measured(replace(one, told_s=None) for one in alerts())
    assert values["critical_p95_s"] is values["growth_percent"] is values["alone_percent"] is None
    assert served_per_s([], seconds=SECONDS, analysed_only=False) == 0.0
