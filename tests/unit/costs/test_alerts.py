"""What alerts cost."""

import math
from dataclasses import replace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from costs.alerts import per_thousand_alerts
from costs.cost import Cost, Known, Line
from costs.usage import FunctionUsage, Units, Usage
from emulator.pulumi.project import stack_config
from lambda_packages import ROOT
from topology import prices
from topology.config import StackConfig
from topology.functions import ANALYSIS, FUNCTIONS
from topology.prices import UnpricedError
from topology.tables import TABLES

CONFIG = stack_config(ROOT, "prod")
amounts = st.integers(min_value=0, max_value=10**9).map(lambda thousandths: thousandths / 1_000)
"""Nothing that is measured is finer than a thousandth of its unit."""

units = st.builds(Units, reads=amounts, writes=amounts)
function_usages = st.builds(FunctionUsage, invocations=amounts, billed_ms=amounts)
names = [spec.key for spec in TABLES] + [f"{t.key}/{i.name}" for t in TABLES for i in t.indexes]
usages = st.builds(
    Usage,
    alerts=st.integers(min_value=1, max_value=10**6),
    functions=st.dictionaries(st.sampled_from([spec.key for spec in FUNCTIONS]), function_usages),
    units=st.dictionaries(st.sampled_from(names), units),
    recovery=function_usages,
    recovery_units=st.dictionaries(st.sampled_from(names), units),
    **dict.fromkeys(
        (
            "api_requests", "queue_sends", "log_bytes", "model_calls", "input_tokens", "row_bytes",
            "index_bytes", "recovery_log_bytes",
        ),
        amounts,
    ),
)  # fmt: skip


def line_of(cost: Cost, group: str, name: str) -> Line:
    """The one line of that group whose name begins so."""
    (found,) = [line for line in cost.lines if line.group == group and line.name.startswith(name)]
    return found


@given(usages, st.floats(min_value=0, max_value=1e4))
def test_the_parts_add_up_to_the_whole(usage: Usage, factor: float) -> None:
    """Lines to groups, groups to the cost, and each line is its quantity at its own price."""
    cost = per_thousand_alerts(usage, CONFIG)
    assert cost.usd == pytest.approx(
        sum(line.quantity * line.price.usd / line.price.per for line in cost.lines)
    )
    assert cost.usd == pytest.approx(math.fsum(part.usd for _, part in cost.groups()))
    assert cost.times(factor).usd == pytest.approx(cost.usd * factor)
    assert (cost + cost).usd == pytest.approx(2 * cost.usd)
    assert all(line.usd >= 0 for line in cost.lines)


@given(usages)
def test_ten_times_as_many_alerts_that_use_ten_times_as_much_cost_the_same_each(usage: Usage) -> None:
    """A cost of 1,000 alerts does not depend on how many were measured."""
    ten = msgspec.structs.replace(
        usage,
        alerts=usage.alerts * 10,
        functions={
            key: FunctionUsage(invocations=used.invocations * 10, billed_ms=used.billed_ms * 10)
            for key, used in usage.functions.items()
        },
        units={k: Units(reads=u.reads * 10, writes=u.writes * 10) for k, u in usage.units.items()},
        **{
            name: getattr(usage, name) * 10
            for name in ("api_requests", "queue_sends", "log_bytes", "model_calls", "input_tokens")
        },
    )
    assert per_thousand_alerts(ten, CONFIG).usd == pytest.approx(per_thousand_alerts(usage, CONFIG).usd)


def test_figures_come_from_the_measurement_the_configuration_and_the_table(
    usage: Usage, prod: StackConfig
) -> None:
    """Worked out by hand: 4 invocations and 20 s at 1,024 MB for ten alerts."""
    cost = per_thousand_alerts(usage, prod)
    assert line_of(cost, "Lambda", "analysis, 1024 MB: requests").quantity == 400
    assert line_of(cost, "Lambda", "analysis, 1024 MB: duration").quantity == pytest.approx(2_000)
    assert line_of(cost, "Lambda", "analysis, 1024 MB: duration").usd == pytest.approx(0.0266668)
    assert line_of(cost, "SQS", "receives").quantity == 800
    assert line_of(cost, "Claude", "tokens in").quantity == pytest.approx(400_000)
    assert line_of(cost, "Claude", "tokens out").usd == pytest.approx(400 * 400 * 10 / 1e6)
    assert line_of(cost, "Claude", "tokens out").known is Known.ASSUMED


def test_a_write_is_paid_in_each_region_and_a_read_where_it_is_made(usage: Usage, prod: StackConfig) -> None:
    """Of rows as replicated units, of indexes as plain ones."""
    cost = per_thousand_alerts(usage, replace(prod, ledger_consistency="eventual"))
    assert line_of(cost, "DynamoDB", "reads").quantity == 500
    rows, indexes = line_of(cost, "DynamoDB", "writes of rows"), line_of(cost, "DynamoDB", "writes of ind")
    assert (rows.quantity, rows.price) == (6_000, prices.DYNAMODB_REPLICATED_WRITE)
    assert (indexes.quantity, indexes.price) == (4_000, prices.DYNAMODB_WRITE)


def test_rows_of_a_strong_ledger_are_deleted_by_writes(usage: Usage, prod: StackConfig) -> None:
    """Two kilobytes of a row and of its history entry, in both regions; TTL deletes for nothing."""
    strong, eventual = (
        per_thousand_alerts(usage, replace(prod, ledger_consistency=one)) for one in ("strong", "eventual")
    )
    assert strong.usd - eventual.usd == pytest.approx(1_000 * 2 * 2 * 2 * prices.DYNAMODB_WRITE.each)


def test_other_durations_and_memory_sizes_price_the_same_pipeline_before_and_after(
    usage: Usage, prod: StackConfig
) -> None:
    """What a sweep of memory sizes needs: nothing but one function's lines changes."""
    faster = {**usage.functions, ANALYSIS.key: FunctionUsage(invocations=4, billed_ms=12_000)}
    before = per_thousand_alerts(usage, prod)
    after = per_thousand_alerts(
        msgspec.structs.replace(usage, functions=faster),
        replace(prod, memory_mb={**prod.memory_mb, ANALYSIS: 2_048}),
    )
    gb_s = line_of(after, "Lambda", "analysis, 2048 MB: duration").quantity
    assert gb_s == pytest.approx(2_400)
    assert after.usd - before.usd == pytest.approx(400 * prices.LAMBDA_GB_S.each)


def test_a_stack_elsewhere_or_with_an_unknown_model_is_not_priced(usage: Usage, prod: StackConfig) -> None:
    """Rather than with a hole in the sum."""
    with pytest.raises(UnpricedError, match="eu-west-1"):
        per_thousand_alerts(usage, replace(prod, failover_region="eu-west-1"))
    with pytest.raises(UnpricedError, match="claude-next"):
        per_thousand_alerts(usage, replace(prod, claude_model="claude-next"))
