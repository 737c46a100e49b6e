"""Alarms: the address that they are mailed to has confirmed AWS's question, in each region by itself."""

from clients.checks import Check, Finding, failed, ok
from deploy.checks.subject import Subject

_PENDING = frozenset({"PendingConfirmation", "Deleted"})
"""What stands for the ARN of a subscription that nothing is sent to.
https://docs.aws.amazon.com/sns/latest/dg/SendMessageToHttp.confirm.html"""


def alarm_checks(subject: Subject) -> tuple[Check, ...]:
    """The check of a stack that has an `alarmEmail`; another has none."""
    if not subject.config.alarm_email:
        return ()
    check = subject.check(
        "alarm-mail",
        "alarms",
        "the address that alarms are mailed to has confirmed",
        actions=("sns:ListSubscriptionsByTopic",),
        run=_mail,
    )
    return (check,)


def _mail(subject: Subject, region: str) -> Finding:
    address, topic = subject.config.alarm_email, subject.endpoints(region).alarm_topic_arn
    pages = (
        subject.client("sns", region).get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic)
    )
    states = [
        one["SubscriptionArn"]
        for page in pages
        for one in page["Subscriptions"]
        if one["Protocol"] == "email" and one["Endpoint"] == address
    ]
    if not states:
        return failed(f"{address} is not subscribed to {topic}", f"run {subject.up}")
    if _PENDING.issuperset(states):
        hint = f"open AWS's mail of {region} and confirm; without it, `aws sns subscribe` sends another"
        return failed(f"{address} has not confirmed: no alarm of {region} is mailed", hint)
    return ok(f"{address} has confirmed")
