"""The search for the best size: what it chooses, what it drops, and when it stops."""

from dataclasses import replace

import msgspec
import pytest

from loadtests.sizing.measured import MeasuredSize
from loadtests.sizing.plan import (
    CHEAPEST,
    FASTEST,
    Plan,
    PlanError,
    SizesError,
    TooShortError,
    balanced,
    cheapest_within,
)
from loadtests.sizing.power_tuning import power_tuning_mb, trimmed_mean
from loadtests.sizing.samples import Sample
from loadtests.sizing.search import Found, search
from tests.fakes.lambda_samples import Shape, ShapedSite, cpu_bound, exhaustive, io_bound

FOUR = (512, 1024, 1536, 2048)
TEN = (128, 256, 512, 768, 1024, 1280, 1536, 1769, 2048, 3008)
IO = Shape(name="io", duration=io_bound(40, 1))
MEMORY = Shape(name="memory", duration=cpu_bound(60), needs_mb=700)
CPU = Shape(name="cpu", duration=cpu_bound(160), sigma=0.02)
PLAN = Plan(sizes=FOUR, payloads={"one": 1.0})


def found_of(shape: Shape, plan: Plan = PLAN, **site: int) -> Found:
    """A search of this function."""
    return search(ShapedSite(shape, **site), shape.name, plan)


def test_what_waits_is_cheapest_small_and_is_decided_in_few_invocations() -> None:
    """Each doubling of the size doubles its cost, which the first rounds show."""
    found = found_of(IO)
    assert (found.best_mb, found.decided) == (512, True)
    assert found.invocations <= 4 * 24
    assert all("or more" in size.beaten for size in found.sizes[1:])


def test_what_computes_costs_the_same_up_to_a_vcpu_and_is_chosen_for_its_speed() -> None:
    """1,536 MB cost within 2 % of 512 MB and take a third of the time; 2,048 MB bring nothing more."""
    several = [found_of(CPU, seed=seed) for seed in range(10)]
    assert sum(found.best_mb == 1536 and found.decided for found in several) >= 9
    assert any(found.why.startswith("as good as ") for found in several)
    assert all("or more" in found.sizes[3].beaten for found in several)


def test_a_size_that_is_killed_for_memory_is_a_result_and_costs_few_invocations() -> None:
    """It is out at once, and the search goes on with the others."""
    found = found_of(MEMORY)
    assert found.sizes[0].bad == "out_of_memory"
    assert found.best_mb in {1024, 1536}
    assert found.decided


@pytest.mark.parametrize("outcome", ["timeout", "init_failed", "function_error"])
def test_any_other_failure_takes_its_size_out(outcome: str) -> None:
    """And is told as what it is."""

    class Failing(ShapedSite):
        def sample(self, function: str, memory_mb: int, *, cold: bool, count: int) -> list[Sample]:
            samples = super().sample(function, memory_mb, cold=cold, count=count)
            failed = [msgspec.structs.replace(one, outcome=outcome) for one in samples]
            return failed if memory_mb == 512 else samples

    found = search(Failing(IO), "io", PLAN)
    assert (found.sizes[0].bad, found.best_mb) == (outcome, 1024)
    assert found.invocations < 4 * 24


def test_sizes_that_cannot_be_measured_here_are_told_and_left_out() -> None:
    """No number is made up for them."""
    found = found_of(IO, most_mb=1_100)
    assert [size.bad for size in found.sizes] == ["", "", *["not measurable here: 2 cores"] * 2]
    assert not found.sizes[3].kept


def test_where_no_size_will_do_each_says_why() -> None:
    """In one line, and nothing is chosen."""
    found = found_of(replace(IO, needs_mb=4_000))
    assert (found.best_mb, found.decided) == (None, True)
    assert "512 MB: out_of_memory" in found.why
    assert "\n" not in found.why


class _OffShare(ShapedSite):
    """Gives each so many-th invocation another CPU share than its size has."""

    def __init__(self, shape: Shape, every: int) -> None:
        super().__init__(shape)
        self.every, self.count = every, 0

    def sample(self, function: str, memory_mb: int, *, cold: bool, count: int) -> list[Sample]:
        samples = []
        for one in super().sample(function, memory_mb, cold=cold, count=count):
            self.count += 1
            off = self.count % self.every == 0
            samples.append(
                msgspec.structs.replace(one, cpu_share=2.0, duration_ms=1.0, billed_ms=1) if off else one
            )
        return samples


def test_samples_with_another_cpu_share_are_thrown_out_counted_and_made_up_for() -> None:
    """They would make a size look fast."""
    found = search(_OffShare(IO, every=5), "io", PLAN)
    assert all(size.thrown_out >= 2 and len(size.kept) >= 24 for size in found.sizes)
    assert found.best_mb == 512
    assert found.invocations == sum(size.thrown_out + len(size.kept) for size in found.sizes)


def test_what_is_made_up_for_at_one_size_is_not_taken_from_another() -> None:
    """At the least cap each size has its first round, short of what was thrown out."""
    found = search(_OffShare(IO, every=5), "io", replace(PLAN, invocations_max=96))
    assert [size.thrown_out + len(size.kept) for size in found.sizes] == [24] * 4
    assert all(not size.bad for size in found.sizes)


def test_where_no_share_is_right_the_size_is_not_measurable_and_the_search_ends() -> None:
    """The making up for it is bounded."""
    found = search(_OffShare(IO, every=1), "io", PLAN)
    assert found.best_mb is None
    assert all("CPU share off" in size.bad for size in found.sizes)
    assert found.invocations <= 3 * 4 * 24


def test_two_sizes_that_are_as_good_are_told_apart_no_longer_than_the_cap() -> None:
    """Then the best so far is given, and it is said that it is undecided."""
    wild = Shape(name="wild", duration=cpu_bound(160), sigma=0.8, outliers=0.05)
    found = found_of(wild, replace(PLAN, invocations_max=120))
    assert not found.decided
    assert found.invocations <= 120
    assert "undecided against" in found.why
    assert "allow more" in found.why
    assert found.best_mb in FOUR


@pytest.mark.parametrize(
    "shape",
    [
        Shape(name="noisy", duration=cpu_bound(160), sigma=0.2),
        Shape(name="outliers", duration=cpu_bound(160), sigma=0.1, outliers=0.02, outlier_factor=5),
        Shape(name="mixed", duration=io_bound(40, 20), sigma=0.3, outliers=0.02),
    ],
    ids=lambda shape: shape.name,
)
def test_what_is_decided_is_right_however_noisy_the_function_is(shape: Shape) -> None:
    """The choice costs at most 2 % more than the best by a hundred times as many samples, or is undecided."""
    found = [search(ShapedSite(shape, seed=seed), shape.name, PLAN, seed=seed) for seed in range(20)]
    costs = {}
    for memory_mb in FOUR:
        size = MeasuredSize(memory_mb, PLAN)
        size.add(exhaustive(shape, (memory_mb,), warm=10_000, cold=1_000).samples, cold=False)
        costs[memory_mb] = size.usd
    chosen = [costs[one.best_mb or 0] / min(costs.values()) for one in found if one.decided]
    assert chosen
    assert max(chosen) <= 1.02
    assert all("undecided" in one.why for one in found if not one.decided)


def test_ten_sizes_up_to_one_vcpu_and_beyond() -> None:
    """What waits and computes a little is cheapest where more CPU pays no more."""
    found = found_of(Shape(name="mixed", duration=io_bound(20, 10)), Plan(sizes=TEN, payloads={"one": 1.0}))
    assert found.best_mb in {128, 256}


def test_the_fastest_is_the_cheapest_of_those_that_are_as_fast() -> None:
    """Beyond a vCPU a single thread gains nothing: 2,048 MB are as fast as 3,008 MB."""
    plan = Plan(sizes=(512, 1024, 2048, 3008), payloads={"one": 1.0}, strategy=FASTEST, cold_share=0.0)
    found = found_of(CPU, plan)
    assert (found.best_mb, found.decided) == (2048, True)


def test_balanced_lies_between_by_its_weight() -> None:
    """With all of the weight on one side it is that strategy."""
    mixed = Shape(name="mixed", duration=io_bound(40, 60), sigma=0.02)
    best = {
        weight: found_of(mixed, replace(PLAN, strategy=balanced(weight))).best_mb
        for weight in (0.0, 0.5, 1.0)
    }
    assert best[0.0] == found_of(mixed, replace(PLAN, strategy=FASTEST)).best_mb
    assert best[1.0] == found_of(mixed, replace(PLAN, strategy=CHEAPEST)).best_mb == 512
    assert best[1.0] <= best[0.5] <= best[0.0]  # type: ignore[operator] # none is None


def test_the_cheapest_that_meets_a_p95_is_dearer_than_the_cheapest() -> None:
    """512 MB take about 250 ms, 1,024 MB about 150."""
    mixed = Shape(name="mixed", duration=io_bound(40, 60))
    found = found_of(mixed, replace(PLAN, strategy=cheapest_within(200.0)))
    assert (found.best_mb, found.decided) == (1024, True)
    assert found.sizes[0].beaten.startswith("p95 ")


def test_a_p95_that_no_size_meets_leaves_none() -> None:
    """And each says what it has."""
    found = found_of(IO, replace(PLAN, strategy=cheapest_within(10.0)))
    assert found.best_mb is None
    assert "2048 MB: p95 4" in found.why


@pytest.mark.parametrize(
    ("bound_ms", "best_mb", "says"),
    [
        (118.0, 512, "undecided whether its p95 is met"),
        (117.0, None, "undecided whether 512 MB can meet the p95"),
    ],
)
def test_a_p95_on_the_bound_is_undecided_at_the_cap(bound_ms: float, best_mb: int | None, says: str) -> None:
    """20 invocations of 100 to 119 ms have a p95 of 118 ms, and an interval on both sides of it."""

    class Counting(ShapedSite):
        def sample(self, function: str, memory_mb: int, *, cold: bool, count: int) -> list[Sample]:
            samples = super().sample(function, memory_mb, cold=cold, count=count)
            return [msgspec.structs.replace(one, duration_ms=100.0 + n) for n, one in enumerate(samples)]

    plan = replace(PLAN, sizes=(512,), invocations_max=24, strategy=cheapest_within(bound_ms))
    found = search(Counting(IO), "io", plan)
    assert (found.decided, found.best_mb) == (False, best_mb)
    assert says in found.why


def test_payloads_count_as_they_weigh() -> None:
    """A rare payload that is slow on small sizes does not move the choice; a frequent one does."""
    shape = Shape(name="two", duration=cpu_bound(100), payloads=(("small", 0.1), ("large", 10.0)))
    found = found_of(shape, replace(PLAN, payloads={"small": 0.99, "large": 0.01}))
    light = found_of(shape, replace(PLAN, payloads={"small": 0.01, "large": 0.99}))
    assert light.sizes[0].usd > 5 * found.sizes[0].usd


def test_cold_starts_count_by_their_share() -> None:
    """Where most are cold, INIT is most of the cost."""
    slow = Shape(name="slow", duration=io_bound(5, 1), init_ms=2_000)
    rare, often = (found_of(slow, replace(PLAN, cold_share=share)) for share in (0.0, 0.5))
    assert often.sizes[0].usd > 30 * rare.sizes[0].usd


@pytest.mark.parametrize(
    ("sizes", "says"),
    [
        ((), "no size is given"),
        ((512, 512), "given twice"),
        ((127,), "no size of 127 MB"),
        ((10_241,), "no size of 10241 MB"),
        (tuple(range(128, 149)), "21 sizes are too many"),
    ],
)
def test_sizes_that_lambda_has_not_are_refused_in_a_line(sizes: tuple[int, ...], says: str) -> None:
    """Before anything is invoked."""
    with pytest.raises(SizesError, match=says):
        Plan(sizes=sizes, payloads={"one": 1.0})


def test_a_search_that_is_too_short_to_decide_is_refused_with_what_it_needs() -> None:
    """A guess would look like a result."""
    with pytest.raises(TooShortError, match="allow at least 96"):
        replace(PLAN, invocations_max=95)
    assert replace(PLAN, invocations_max=96)


@pytest.mark.parametrize(
    "change", [{"payloads": {}}, {"payloads": {"one": 0.0}}, {"cold_share": 1.0}, {"cold_share": -0.1}]
)
def test_weights_and_shares_that_cannot_be_are_refused(change: dict[str, object]) -> None:
    """They decide everything."""
    with pytest.raises(PlanError):
        replace(PLAN, **change)  # type: ignore[arg-type] # each of its field's type


def test_a_payload_without_a_weight_is_refused() -> None:
    """It would count for nothing."""
    with pytest.raises(PlanError, match="payload one of io has no weight"):
        found_of(IO, replace(PLAN, payloads={"other": 1.0}))


def test_strategies_refuse_what_cannot_be() -> None:
    """A weight beyond 1, a bound that nothing meets."""
    for refused in (lambda: balanced(1.1), lambda: cheapest_within(0.0)):
        with pytest.raises(PlanError):
            refused()


def test_power_tunings_mean_leaves_out_a_fifth_at_each_end() -> None:
    """Rounded down, as its `parseInt` does: of 4 values nothing, of 10 two and two."""
    assert trimmed_mean([1.0, 2.0, 3.0, 100.0]) == 26.5
    assert trimmed_mean([*range(1, 10), 1_000.0]) == 5.5


def test_power_tunings_choice_is_blind_to_cold_starts_requests_and_outliers() -> None:
    """A function whose outliers are what a small size costs: its formula does not see them."""

    class Swapping(ShapedSite):
        def sample(self, function: str, memory_mb: int, *, cold: bool, count: int) -> list[Sample]:
            samples = super().sample(function, memory_mb, cold=cold, count=count)
            return [
                msgspec.structs.replace(one, duration_ms=900.0, billed_ms=900)
                if memory_mb == 512 and number % 8 == 0
                else one
                for number, one in enumerate(samples)
            ]

    found = search(Swapping(IO), "io", PLAN)
    assert found.best_mb == 1024
    assert power_tuning_mb(found.sizes, CHEAPEST) == 512
    assert power_tuning_mb([size for size in found.sizes if size.bad], CHEAPEST) is None
