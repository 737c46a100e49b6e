"""The alarms of each region's pipeline, and who hears of them."""

import pytest

from tests.components.recorder import EMAIL, Run, stack_file
from topology.contacts import MAX_CONTACTS_CHARS
from topology.names import PROJECT

ALARM = "cloudwatch/metricAlarm:MetricAlarm"
DESCRIPTION_MAX_CHARS = 1_024


@pytest.mark.parametrize(("region", "prefix"), [("us-east-1", ""), ("us-west-2", "Failover")])
def test_one_parked_alert_sets_off_the_alarm_of_each_region(region: str, prefix: str, run: Run) -> None:
    """Within a minute, by the region's own topic, and silence of Recovery is never read as healthy."""
    alarm = dict(run.one(ALARM, f"{region}-parked").inputs)
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
    for alarm in run.of(ALARM):
        assert "okActions" not in alarm.inputs
        assert "insufficientDataActions" not in alarm.inputs


@pytest.mark.parametrize("region", ["us-east-1", "us-west-2"])
def test_recovery_that_says_nothing_sets_off_an_alarm(region: str, run: Run) -> None:
    """It is the count of its counts that is watched, and none at all is a breach."""
    alarm = run.one(ALARM, f"{region}-recovery-silent").inputs
    assert (alarm["metricName"], alarm["statistic"]) == ("ParkedAlerts", "SampleCount")
    assert alarm["dimensions"] == {"Stack": run.outputs["Stack"]}
    assert (alarm["comparisonOperator"], alarm["threshold"]) == ("LessThanThreshold", 1)
    assert (alarm["period"], alarm["evaluationPeriods"], alarm["treatMissingData"]) == (60, 5, "breaching")


@pytest.mark.parametrize(("region", "prefix"), [("us-east-1", ""), ("us-west-2", "Failover")])
def test_refusals_that_go_on_set_off_an_alarm(region: str, prefix: str, run: Run) -> None:
    """In 3 of 5 periods, each the time after which Alertmanager sends a refused group again."""
    alarm = dict(run.one(ALARM, f"{region}-refusals").inputs)
    assert alarm.pop("tags")["Stack"] == run.outputs["Stack"]
    assert "AlertReceptionFunction" in alarm.pop("alarmDescription")
    assert alarm == {
        "region": region,
        "name": f"mcp-incident-responder-{run.outputs['Stack']}-refusals",
        "namespace": "McpIncidentResponder",
        "metricName": "Refusals",
        "dimensions": {"Stack": run.outputs["Stack"]},
        "statistic": "Sum",
        "period": 300,
        "evaluationPeriods": 5,
        "datapointsToAlarm": 3,
        "threshold": 1,
        "comparisonOperator": "GreaterThanOrEqualToThreshold",
        "treatMissingData": "notBreaching",
        "alarmActions": [run.outputs[f"{prefix}AlarmTopicArn"]],
    }


@pytest.mark.parametrize(("region", "prefix"), [("us-east-1", ""), ("us-west-2", "Failover")])
def test_a_route_that_leads_nowhere_sets_off_an_alarm(region: str, prefix: str, run: Run) -> None:
    """At the first message that it should have taken; no message is no data, and well."""
    alarm = dict(run.one(ALARM, f"{region}-unusable-routes").inputs)
    assert alarm.pop("tags")["Stack"] == run.outputs["Stack"]
    assert "DistributionFunction" in alarm.pop("alarmDescription")
    assert alarm == {
        "region": region,
        "name": f"mcp-incident-responder-{run.outputs['Stack']}-unusable-routes",
        "namespace": "McpIncidentResponder",
        "metricName": "UnusableRoutes",
        "dimensions": {"Stack": run.outputs["Stack"]},
        "statistic": "Sum",
        "period": 60,
        "evaluationPeriods": 1,
        "threshold": 1,
        "comparisonOperator": "GreaterThanOrEqualToThreshold",
        "treatMissingData": "notBreaching",
        "alarmActions": [run.outputs[f"{prefix}AlarmTopicArn"]],
    }


@pytest.mark.parametrize(
    ("key", "function", "over"),
    [
        ("reception", "AlertReceptionFunction", 10),
        ("analysis", "AnalysisFunction", 5),
        ("distribution", "DistributionFunction", 5),
    ],
)
@pytest.mark.parametrize(("region", "prefix"), [("us-east-1", ""), ("us-west-2", "Failover")])
def test_a_function_that_fails_too_often_sets_off_an_alarm(
    key: str, function: str, over: int, region: str, prefix: str, run: Run
) -> None:
    """By the operations runbook's thresholds, so that nobody has to ask each five minutes."""
    alarm = dict(run.one(ALARM, f"{region}-{key}-errors").inputs)
    assert alarm.pop("tags")["Stack"] == run.outputs["Stack"]
    name = run.outputs[f"{prefix}{function}Name"]
    assert f"{name} failed more than {over} times in 5 minutes" in alarm.pop("alarmDescription")
    assert alarm == {
        "region": region,
        "name": f"{name}-errors",
        "namespace": "AWS/Lambda",
        "metricName": "Errors",
        "dimensions": {"FunctionName": name},
        "statistic": "Sum",
        "period": 300,
        "evaluationPeriods": 1,
        "threshold": over,
        "comparisonOperator": "GreaterThanThreshold",
        "treatMissingData": "notBreaching",
        "alarmActions": [run.outputs[f"{prefix}AlarmTopicArn"]],
    }


@pytest.mark.parametrize("queue", ["processing-dlq", "distribution-dlq"])
@pytest.mark.parametrize("region", ["us-east-1", "us-west-2"])
def test_a_message_in_a_dead_letter_queue_sets_off_an_alarm(region: str, queue: str, run: Run) -> None:
    """Of the queue by its own name; an idle queue has no metric and is well."""
    alarm = run.one(ALARM, f"{region}-{queue}").inputs
    name = run.one("sqs/queue:Queue", f"{region}-{queue}").inputs["name"]
    assert (alarm["namespace"], alarm["dimensions"]) == ("AWS/SQS", {"QueueName": name})
    assert alarm["metricName"] == "ApproximateNumberOfMessagesVisible"
    assert (alarm["threshold"], alarm["treatMissingData"]) == (1, "notBreaching")


def test_alarms_are_mailed_where_an_address_is_configured(optioned: Run) -> None:
    """The pipeline may be what is broken. The second way mails there too, and posts to a pager's endpoint."""
    subscriptions = [s.inputs for s in optioned.of("sns/topicSubscription:TopicSubscription")]
    mailed = [s for s in subscriptions if s["protocol"] == "email"]
    assert {s["endpoint"] for s in mailed} == {EMAIL}
    alarms = {optioned.outputs["AlarmTopicArn"], optioned.outputs["FailoverAlarmTopicArn"]}
    second_way = {arn.replace("-alarms", "-escalation") for arn in alarms}
    assert {s["topic"] for s in mailed} == alarms | second_way
    paged = [s for s in subscriptions if s["protocol"] == "https"]
    assert {s["topic"] for s in paged} == second_way


def test_without_an_address_only_the_pipeline_hears_of_alarms(run: Run) -> None:
    """A subscription that nobody confirms is no subscription."""
    assert {s.inputs["protocol"] for s in run.of("sns/topicSubscription:TopicSubscription")} == {"lambda"}


def test_every_alarm_says_whom_to_call(optioned: Run, run: Run) -> None:
    """On a line of its own, in the configuration's order; with the longest list it has room at CloudWatch."""
    for alarm in optioned.of(ALARM):
        assert alarm.inputs["alarmDescription"].endswith(
            "\nContacts: On-call engineer: +41 00 000 00 00; Anthropic: support@anthropic.com"
        )
    for alarm in run.of(ALARM):
        own, _, contacts = alarm.inputs["alarmDescription"].partition("\nContacts: ")
        assert bool(contacts) == (f"{PROJECT}:contacts" in stack_file(run.outputs["Stack"]))
        assert len(own) + 1 + MAX_CONTACTS_CHARS <= DESCRIPTION_MAX_CHARS
