"""Every check of `responder health check`, which asks each five minutes, and of `health daily`."""

from clients.checks import Check
from deploy.checks.subject import Subject
from deploy.checks.webhooks import webhook_checks
from runbook.health.alerts import dead_letter_check, expired_check, open_check, rest_checks
from runbook.health.drift import drift_checks
from runbook.health.figures import Figures
from runbook.health.functions import error_checks, throughput_checks
from runbook.health.regions import alarm_check, export_check, region_checks, silence_check
from topology.health import DAY_S, ERRORS_PERIOD_S
from topology.metrics import PERIOD_S

_HOUR_S = 3_600


def health_checks(subject: Subject) -> tuple[Check, ...]:
    """Whether somebody is needed now, in the order in which it is shown."""
    figures = Figures(subject, period_s=PERIOD_S, periods=ERRORS_PERIOD_S // PERIOD_S)
    return (
        *webhook_checks(subject),
        *error_checks(subject, figures),
        dead_letter_check(subject),
        *rest_checks(subject),
        *region_checks(subject),
        alarm_check(subject, backups=False),
    )


def daily_checks(subject: Subject) -> tuple[Check, ...]:
    """What the morning begins with: the last day's figures, and what can wait until then."""
    figures = Figures(subject, period_s=_HOUR_S, periods=DAY_S // _HOUR_S)
    return (
        *webhook_checks(subject),
        *throughput_checks(subject, figures),
        dead_letter_check(subject),
        *rest_checks(subject),
        open_check(subject),
        expired_check(subject),
        *region_checks(subject),
        silence_check(subject),
        alarm_check(subject, backups=False),
        alarm_check(subject, backups=True),
        export_check(subject),
        *drift_checks(subject),
    )
