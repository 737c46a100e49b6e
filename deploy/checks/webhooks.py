"""Webhooks: each region's answers, and says that it is healthy."""

from clients.checks import Check, Finding, failed, ok
from deploy.checks.subject import Subject
from dr.operations.environment import OK


def webhook_checks(subject: Subject) -> tuple[Check, ...]:
    """The check of both webhooks; it takes no permission."""
    check = subject.check(
        "webhook-health",
        "webhooks",
        "the webhook answers, and its region is healthy",
        actions=(),
        run=_health,
        see="docs/runbook.md#system-down",
    )
    return (check,)


def _health(subject: Subject, region: str) -> Finding:
    url = subject.endpoints(region).health_url
    answer = subject.web.get(url)
    hint = "`responder dr status` says how both regions stand, `responder dr failover` moves to the other"
    if answer is None:
        return failed(f"{url} does not answer", hint)
    if answer.status != OK:
        return failed(f"{url} answers {answer.status}", hint)
    if answer.body.get("region") != region:
        return failed(f"{url} is answered by {answer.body.get('region', 'something else')}", hint)
    return ok(url)
