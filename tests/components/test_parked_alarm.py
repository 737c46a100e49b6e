"""The alarm on PARKED alerts of each region."""

import pytest

from tests.components.recorder import Run


@pytest.mark.parametrize(("region", "prefix"), [("us-east-1", ""), ("us-west-2", "Failover")])
def test_one_parked_alert_sets_off_the_alarm_of_each_region(region: str, prefix: str, run: Run) -> None:
    """Within a minute, by the region's own topic, and silence of Recovery is never read as healthy."""
    alarm = dict(run.one("cloudwatch/metricAlarm:MetricAlarm", f"{region}-parked").inputs)
    assert alarm.pop("tags")["Stack"] == run.outputs["Stack"]
    assert alarm.pop("alarmDescription")
    assert alarm == {
        "region": region,
        "name": f"mcp-incident-responder-{run.outputs['Stack']}-parked-alerts",
        "namespace": "McpIncidentResponder",
        "metricName": "ParkedAlerts",
        "dimensions": {"Stack": run.outputs["Stack"]},
        "statistic": "Maximum",
        "period": 60,
        "evaluationPeriods": 1,
        "threshold": 1,
        "comparisonOperator": "GreaterThanOrEqualToThreshold",
        "treatMissingData": "missing",
        "alarmActions": [run.outputs[f"{prefix}AlarmTopicArn"]],
    }


def test_no_alarm_acts_when_it_ends(run: Run) -> None:
    """An action on OK would make an alert of the good news, and of every flap two."""
    for alarm in run.of("cloudwatch/metricAlarm:MetricAlarm"):
        assert "okActions" not in alarm.inputs
        assert "insufficientDataActions" not in alarm.inputs
