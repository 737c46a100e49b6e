"""The states of the embedded CloudWatch's alarms, by AWS's own tables for missing data."""

import time
from typing import Any

import pytest
from ministack.services import cloudwatch

from emulator.aws import alarms

NOW_S = 1_795_420_830.0
"""Half a minute past a full one."""

TREATMENTS = ("missing", "ignore", "breaching", "notBreaching")
ALARM: dict[str, Any] = {
    "AlarmName": "a", "AlarmArn": "arn", "Namespace": "N", "MetricName": "m", "Statistic": "Sum",
    "Period": 60, "EvaluationPeriods": 3, "Threshold": 1.0, "ComparisonOperator": "GreaterThanThreshold",
    "TreatMissingData": "missing", "StateValue": "kept", "AlarmConfigurationUpdatedTimestamp": 0,
    "Dimensions": [{"Name": "Stack", "Value": "dev"}],
}  # fmt: skip


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty CloudWatch whose alarms are evaluated when they are described, at `NOW_S`."""
    for store in ("_metrics", "_alarms", "_alarm_history"):
        monkeypatch.setattr(cloudwatch, store, type(getattr(cloudwatch, store))())
    for name in (
        "_evaluate_alarm",
        "_describe_alarms",
        "_describe_alarms_for_metric",
        "_describe_alarm_history",
    ):
        monkeypatch.setattr(cloudwatch, name, getattr(cloudwatch, name))
    monkeypatch.setattr(time, "time", lambda: NOW_S)
    alarms.install()


def put(ago_s: float, value: float, *, metric: str = "m", **dimensions: str) -> None:
    """A value of a metric at a time before now."""
    of = dimensions or {"Stack": "dev"}
    cloudwatch._store_datum("N", metric, of, NOW_S - ago_s, "None", value, None, None, None)  # noqa: SLF001 - PutMetricData


def described(**changed: Any) -> dict[str, Any]:
    """An alarm once it was asked for."""
    cloudwatch._alarms["a"] = ALARM | changed  # noqa: SLF001 - as PutMetricAlarm does
    cloudwatch._describe_alarms({}, {}, None)  # noqa: SLF001 - the call's handler
    alarm: dict[str, Any] = cloudwatch._alarms["a"]  # noqa: SLF001 - what it answers of
    return alarm


@pytest.mark.parametrize(
    ("shown", "needed", "states"),
    [
        ("0-X-X", 3, ("OK", "OK", "OK", "OK")),
        ("0----", 3, ("OK", "OK", "OK", "OK")),
        ("-----", 3, ("INSUFFICIENT_DATA", "kept", "ALARM", "OK")),
        ("0XX-X", 3, ("ALARM", "ALARM", "ALARM", "ALARM")),
        ("--X--", 3, ("ALARM", "kept", "ALARM", "OK")),
        ("0-X-X", 2, ("ALARM", "ALARM", "ALARM", "ALARM")),
        ("00X0X", 2, ("ALARM", "ALARM", "ALARM", "ALARM")),
        ("0-X--", 2, ("OK", "OK", "ALARM", "OK")),
        ("----0", 2, ("OK", "OK", "ALARM", "OK")),
        ("---X-", 2, ("ALARM", "kept", "ALARM", "OK")),
    ],
)
def test_every_row_of_awss_tables_on_missing_data_holds(
    shown: str, needed: int, states: tuple[str, ...]
) -> None:
    """Three periods are evaluated; 0 is within the threshold, X is not, - has no data.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
    """
    values = [{"0": 0.0, "X": 2.0, "-": None}[mark] for mark in shown]
    alarm = ALARM | {"DatapointsToAlarm": needed}
    found = [
        alarms.state_of(alarm | {"TreatMissingData": treated}, values, now_s=NOW_S) for treated in TREATMENTS
    ]
    assert tuple(found) == states


@pytest.mark.parametrize(
    ("operator", "states"),
    [
        ("GreaterThanThreshold", ("OK", "OK", "ALARM")),
        ("GreaterThanOrEqualToThreshold", ("OK", "ALARM", "ALARM")),
        ("LessThanThreshold", ("ALARM", "OK", "OK")),
        ("LessThanOrEqualToThreshold", ("ALARM", "ALARM", "OK")),
    ],
)
def test_each_comparison_is_of_the_value_with_the_threshold(operator: str, states: tuple[str, ...]) -> None:
    """Below, at and above it."""
    alarm = ALARM | {"ComparisonOperator": operator, "EvaluationPeriods": 1}
    assert tuple(alarms.state_of(alarm, [value], now_s=NOW_S) for value in (0.0, 1.0, 2.0)) == states


def test_an_alarm_sees_its_own_metric_only_and_says_why() -> None:
    """Another function's errors, or those of all together, are another metric."""
    put(10, 9, Stack="prod")
    put(10, 9, Stack="dev", Route="db")
    put(10, 9, metric="other")
    assert described(EvaluationPeriods=1)["StateValue"] == "INSUFFICIENT_DATA"
    put(10, 1)
    put(20, 1)
    alarm = described(EvaluationPeriods=1)
    assert (alarm["StateValue"], alarm["StateUpdatedTimestamp"]) == ("ALARM", int(NOW_S))
    assert alarm["StateReason"] == (
        "Threshold Crossed: 1 out of the last 1 datapoints [2.0] were greater than the threshold (1.0)."
    )


def test_a_period_slides_with_the_minute() -> None:
    """Five minutes end with the last full one, or with the one under way if that has data."""
    put(60 * 5 + 20, 2)
    of_five_min = {"Period": 300, "EvaluationPeriods": 1}
    assert described(**of_five_min)["StateValue"] == "ALARM"
    put(10, 0)
    assert described(**of_five_min)["StateValue"] == "OK"


def test_a_percentile_is_one_of_the_values() -> None:
    """By the extended statistic, which goes before the other."""
    for value in range(21):
        put(10, value)
    percentile = {"ExtendedStatistic": "p95", "EvaluationPeriods": 1}
    assert described(**percentile, Threshold=19.0)["StateValue"] == "OK"
    assert described(**percentile, Threshold=18.9)["StateValue"] == "ALARM"


def test_what_the_embedded_aws_cannot_know_is_insufficient_data() -> None:
    """A service that publishes nothing here is not well; nor was there silence before there was an alarm."""
    assert (
        described(Namespace="AWS/Backup", TreatMissingData="breaching")["StateValue"] == "INSUFFICIENT_DATA"
    )
    assert described(Namespace="AWS/Lambda", TreatMissingData="notBreaching")["StateValue"] == "OK"
    young = {"TreatMissingData": "breaching", "AlarmConfigurationUpdatedTimestamp": NOW_S - 179}
    assert described(**young)["StateValue"] == "INSUFFICIENT_DATA"
    assert described(TreatMissingData="breaching")["StateValue"] == "ALARM"


def test_an_alarm_acts_once_when_its_state_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    """However often it is asked for."""
    acted: list[tuple[str, str]] = []
    monkeypatch.setattr(
        cloudwatch, "_dispatch_alarm_actions", lambda _, old, new, __: acted.append((old, new))
    )
    put(10, 2)
    described(EvaluationPeriods=1, StateValue="OK")
    cloudwatch._describe_alarms({}, {}, None)  # noqa: SLF001 - as above
    assert acted == [("OK", "ALARM")]
