"""What a month costs before the first alert, as the program is."""

from dataclasses import replace

import pytest

from costs.alerts import per_thousand_alerts
from costs.cost import Cost
from costs.fixed import ALARM, MAPPING, SCHEDULE, SYNTHETIC, UncountableError, a_month
from costs.program import Resource, Resources, resources_of
from costs.usage import Usage
from lambda_packages import ROOT
from topology import prices
from topology.config import StackConfig
from topology.prices import HOURS_PER_MONTH, UnpricedError


def quantity(cost: Cost, group: str, name: str) -> float:
    """Of the lines of a group that begin so, together."""
    return sum(one.quantity for one in cost.lines if one.group == group and one.name.startswith(name))


def with_one_more(resources: Resources, type_: str, **inputs: object) -> Resources:
    """The program with one more of a resource, but for these inputs like the first of its type."""
    first = next(resources.of(type_))
    return Resources((*resources.all, Resource(type_, "one-more", {**first.inputs, **inputs})))


def test_what_is_kept_is_counted_from_the_program(
    resources: Resources, usage: Usage, prod: StackConfig
) -> None:
    """Both regions: thirteen alarms and a key each, two secrets with a replica each."""
    cost = a_month(resources, usage, prod)
    assert quantity(cost, "Keys", "KMS") == len([*resources.of("kms/key:Key")]) == 2
    assert quantity(cost, "Alarms", "alarms") == len([*resources.of(ALARM)]) == 26
    assert quantity(cost, "Secrets", "secrets") == 4
    assert quantity(cost, "Pollers", "") == quantity(cost, "Health checks", "checks") == 0


def test_an_alarm_more_costs_ten_cents_more(resources: Resources, usage: Usage, prod: StackConfig) -> None:
    """Nobody has to type it in."""
    before = a_month(resources, usage, prod)
    after = a_month(with_one_more(resources, ALARM), usage, prod)
    assert after.usd - before.usd == pytest.approx(prices.ALARM.usd)


def test_an_alarm_on_several_metrics_costs_as_many(
    resources: Resources, usage: Usage, prod: StackConfig
) -> None:
    """As AWS bills one on an expression."""
    queries = [{"metric": {}}, {"metric": {}}, {"expression": "m1+m2"}]
    more = with_one_more(resources, ALARM, metricQueries=queries, namespace=None)
    added = quantity(a_month(more, usage, prod), "Alarms", "alarms") - 26
    assert added == 2


def test_recovery_runs_each_minute_in_each_region(
    resources: Resources, usage: Usage, prod: StackConfig
) -> None:
    """With what one run without alerts uses, and its writes in both regions."""
    cost, runs = a_month(resources, usage, prod), 2 * 60 * HOURS_PER_MONTH
    assert quantity(cost, "Lambda", "recovery, 512 MB: requests") == runs
    assert quantity(cost, "DynamoDB", "reads") == 2 * runs
    assert quantity(cost, "DynamoDB", "writes of rows") == 2 * runs


def test_synthetic_alerts_cost_what_alerts_do_but_for_the_model_and_the_api(
    resources: Resources, usage: Usage, prod: StackConfig
) -> None:
    """Each five minutes in each region, and looking for them each minute; nothing where they are off."""
    cost = a_month(resources, usage, prod)
    thousands = 2 * 12 * HOURS_PER_MONTH / 1_000
    alerts = per_thousand_alerts(usage, prod).lines
    sends = next(line.quantity for line in alerts if line.name == "sends")
    assert quantity(cost, SYNTHETIC, "SQS: sends") == pytest.approx(sends * thousands)
    assert quantity(cost, SYNTHETIC, "Claude") == quantity(cost, SYNTHETIC, "API") == 0
    runs = 2 * 60 * HOURS_PER_MONTH
    rest = sum(line.quantity for line in alerts if line.name == "reads") * thousands
    assert quantity(cost, SYNTHETIC, "DynamoDB: reads") == pytest.approx(rest + 5 * runs)
    off = a_month(resources, usage, replace(prod, synthetic_interval_s=0))
    assert SYNTHETIC not in {line.group for line in off.lines}


def test_a_name_that_fails_over_brings_health_checks_that_look_each_ten_seconds(
    usage: Usage, prod: StackConfig
) -> None:
    """Four by HTTPS, each with two options, two calculated ones; and what they ask the APIs."""
    chosen = {"domain": "alerts.example.com", "hostedZoneId": "Z0123456789ABC"}
    cost = a_month(resources_of(ROOT, "prod", config=chosen), usage, prod)
    assert quantity(cost, "Health checks", "checks") == 6
    assert quantity(cost, "Health checks", "options") == 8
    assert quantity(cost, "Health checks", "looks") == pytest.approx(4 * 15 * HOURS_PER_MONTH * 360)


def test_provisioned_pollers_cost_by_the_hour(resources: Resources, usage: Usage, prod: StackConfig) -> None:
    """As many as there are at least."""
    pollers = with_one_more(resources, MAPPING, provisionedPollerConfig={"minimumPollers": 2.0})
    assert quantity(a_month(pollers, usage, prod), "Pollers", "provisioned") == 2 * HOURS_PER_MONTH


def test_what_nobody_has_thought_of_is_refused_and_not_free(
    resources: Resources, usage: Usage, prod: StackConfig
) -> None:
    """A type of resources, and a schedule."""
    gateway = Resource("ec2/natGateway:NatGateway", "nat", {})
    with pytest.raises(UncountableError, match="natGateway"):
        a_month(Resources((*resources.all, gateway)), usage, prod)
    with pytest.raises(UncountableError, match="fortnight"):
        a_month(with_one_more(resources, SCHEDULE, scheduleExpression="rate(1 fortnight)"), usage, prod)


def test_polls_that_bring_nothing_cost_too(resources: Resources, usage: Usage, prod: StackConfig) -> None:
    """By each mapping."""
    before, after = (a_month(some, usage, prod) for some in (resources, with_one_more(resources, MAPPING)))
    assert quantity(after, "SQS", "polls") == pytest.approx(quantity(before, "SQS", "polls") * 9 / 8)


def test_a_stack_elsewhere_is_not_priced(resources: Resources, usage: Usage, prod: StackConfig) -> None:
    """As its alerts are not."""
    with pytest.raises(UnpricedError, match="eu-west-1"):
        a_month(resources, usage, replace(prod, primary_region="eu-west-1"))
