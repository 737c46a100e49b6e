"""Metric alarms by CloudWatch's rules: ministack's heed no dimensions, count of periods or missing data.

They are evaluated when somebody asks for them, so that a stack at rest costs nothing. An alarm on an
expression has no state.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html
"""

# ruff: noqa: SLF001 - it corrects ministack, whose functions are private

import math
import operator
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from ministack.services import cloudwatch, sqs

_OK: Final = "OK"
_ALARM: Final = "ALARM"
_INSUFFICIENT: Final = "INSUFFICIENT_DATA"

_EVALUATED_EACH_S: Final = 60
_EXTRA_PERIODS: Final = 2
"""Beyond those that are evaluated, where some have no data: what AWS's own examples look back.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html"""

_COMPARISONS: Final[Mapping[str, tuple[Callable[[float, float], bool], str]]] = {
    "GreaterThanOrEqualToThreshold": (operator.ge, "greater than or equal to"),
    "GreaterThanThreshold": (operator.gt, "greater than"),
    "LessThanThreshold": (operator.lt, "less than"),
    "LessThanOrEqualToThreshold": (operator.le, "less than or equal to"),
}
"""Those on a band are of anomaly detection, which is not here.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html"""

_QUEUE_DEPTH: Final = ("AWS/SQS", "ApproximateNumberOfMessagesVisible")
_PUBLISHING: Final = frozenset({"AWS/Lambda"})
"""AWS's namespaces in which the embedded AWS publishes: in any other no data says nothing."""


def install() -> None:
    """Evaluate all alarms of a region before it answers for them, and at no other time."""
    cloudwatch._evaluate_alarm = lambda _: None
    for call in ("_describe_alarms", "_describe_alarms_for_metric", "_describe_alarm_history"):
        setattr(cloudwatch, call, _evaluated(getattr(cloudwatch, call)))


def _evaluated(answer: Callable[..., Any]) -> Callable[..., Any]:
    def evaluate_and_answer(*asked: Any) -> Any:
        now_s = time.time()
        for alarm in list(cloudwatch._alarms.values()):
            _evaluate(alarm, now_s)
        return answer(*asked)

    return evaluate_and_answer


def _evaluate(alarm: dict[str, Any], now_s: float) -> None:
    """Give the alarm its state, with its history and actions where that changes.

    An alarm acts when its state changes, by the actions of the new state.
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-actions.html
    """
    if not alarm.get("MetricName") or alarm["ComparisonOperator"] not in _COMPARISONS:
        return
    values = _values(alarm, now_s)
    before, after = alarm["StateValue"], state_of(alarm, values, now_s=now_s)
    if after == before:
        return
    reason = _reason(alarm, values, after)
    alarm |= {"StateValue": after, "StateReason": reason}
    alarm["StateUpdatedTimestamp"] = alarm["StateTransitionedTimestamp"] = int(now_s)
    cloudwatch._record_history(alarm["AlarmName"], before, after, reason)
    cloudwatch._dispatch_alarm_actions(alarm, before, after, reason)
    cloudwatch._evaluate_parent_alarms(alarm)


def state_of(alarm: Mapping[str, Any], values: Sequence[float | None], *, now_s: float) -> str:
    """The state by the values of an alarm's periods, the oldest first; None is missing data.

    As many of the latest periods that have data count as the alarm evaluates. Those that lack are filled in
    as it treats missing data. Otherwise than on AWS no data is taken for breaching before the alarm was there
    for so long, and none of a service that publishes nothing here is taken for anything.
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
    """
    periods, treated = alarm["EvaluationPeriods"], alarm["TreatMissingData"]
    needed = alarm.get("DatapointsToAlarm") or periods
    found = [(age, _breaches(alarm, value)) for age, value in _with_data(values)][-periods:]
    missing, breaching = periods - len(found), sum(breaches for _, breaches in found)
    if missing and treated == "breaching":
        if now_s - alarm["AlarmConfigurationUpdatedTimestamp"] < alarm["Period"] * periods:
            treated = "missing"
        else:
            breaching += missing
    if not found:
        if alarm["Namespace"].startswith("AWS/") and alarm["Namespace"] not in _PUBLISHING:
            return _INSUFFICIENT
        states = {"missing": _INSUFFICIENT, "notBreaching": _OK, "breaching": _ALARM}
    elif breaching >= needed:
        return _ALARM
    elif missing and all(breaches for _, breaches in found) and found[0][0] >= needed:
        # Nothing else was seen since a period that is as old as the alarm needs: "premature" on AWS's page.
        states = {"missing": _ALARM, "notBreaching": _OK}
    else:
        return _OK
    return str(states.get(treated, alarm["StateValue"]))


def _with_data(values: Sequence[float | None]) -> list[tuple[int, float]]:
    """Each value that is there, after its age in periods, of which the latest is 1."""
    return [(len(values) - at, value) for at, value in enumerate(values) if value is not None]


def _breaches(alarm: Mapping[str, Any], value: float) -> bool:
    compare, _ = _COMPARISONS[alarm["ComparisonOperator"]]
    return compare(value, alarm["Threshold"])


def _values(alarm: Mapping[str, Any], now_s: float) -> list[float | None]:
    """The alarm's statistic in each period that it looks back on, the oldest first.

    Periods end with a minute, as AWS evaluates each minute; the minute under way counts once it has data.
    """
    points, period_s = _points(alarm, now_s), alarm["Period"]
    end_s = now_s // _EVALUATED_EACH_S * _EVALUATED_EACH_S
    if any(point["Timestamp"] >= end_s for point in points):
        end_s += _EVALUATED_EACH_S
    by_age: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for point in points:
        by_age[math.ceil((end_s - point["Timestamp"]) / period_s)].append(point)
    ages = range(alarm["EvaluationPeriods"] + _EXTRA_PERIODS, 0, -1)
    return [_statistic(alarm, by_age[age]) if by_age[age] else None for age in ages]


def _statistic(alarm: Mapping[str, Any], points: list[dict[str, Any]]) -> float | None:
    name = alarm.get("ExtendedStatistic") or alarm["Statistic"]
    value: float | None = cloudwatch._stat_value(cloudwatch._calc_stats(points), name, points)
    return value


def _points(alarm: Mapping[str, Any], now_s: float) -> list[dict[str, Any]]:
    """What there is of exactly the alarm's metric: another set of dimensions is another metric.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_concepts.html#Dimension
    """
    metric = (alarm["Namespace"], alarm["MetricName"])
    dimensions = {one["Name"]: one["Value"] for one in alarm.get("Dimensions") or ()}
    if metric == _QUEUE_DEPTH:
        queue = sqs._queues.get(sqs._queue_name_to_url.get(dimensions.get("QueueName")))
        if queue is None:
            return []
        sqs._refresh_counts(queue)
        return [{"Timestamp": now_s, "Value": float(queue["attributes"]["ApproximateNumberOfMessages"])}]
    points = list(cloudwatch._metrics.get((*metric, cloudwatch._dims_key(dimensions))) or ())
    unit = alarm.get("Unit")
    return [point for point in points if unit in (None, point["Unit"])]


def _reason(alarm: Mapping[str, Any], values: Sequence[float | None], state: str) -> str:
    """Nearly in AWS's words, as its example of DescribeAlarms has them.

    https://docs.aws.amazon.com/cli/latest/reference/cloudwatch/describe-alarms.html
    """
    periods = alarm["EvaluationPeriods"]
    latest = [value for _, value in _with_data(values)][-periods:]
    if state == _INSUFFICIENT:
        return f"Insufficient Data: {periods - len(latest)} datapoints were unknown."
    if not latest:
        treated = "Breaching" if state == _ALARM else "NonBreaching"
        return (
            f"Threshold Crossed: no datapoints were received for {periods} periods and {periods} missing "
            f"datapoints were treated as [{treated}]."
        )
    count = sum(_breaches(alarm, value) for value in latest)
    _, words = _COMPARISONS[alarm["ComparisonOperator"]]
    shown = ", ".join(map(str, latest))
    return (
        f"Threshold Crossed: {count} out of the last {periods} datapoints [{shown}] were {words} the "
        f"threshold ({alarm['Threshold']})."
    )
