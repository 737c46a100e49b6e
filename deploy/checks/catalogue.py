"""Every check of a deployed stack, and the IAM actions that they need together."""

import json
from collections.abc import Iterable

from clients.checks import Check
from deploy.checks.account import account_checks
from deploy.checks.alarms import alarm_checks
from deploy.checks.backups import backup_checks
from deploy.checks.secret_values import secret_checks
from deploy.checks.subject import Subject
from deploy.checks.tables import table_checks
from deploy.checks.webhooks import webhook_checks


def deploy_checks(subject: Subject) -> tuple[Check, ...]:
    """The checks, in the order in which they are shown; what the stack does not have is not checked."""
    return (
        *webhook_checks(subject),
        *table_checks(subject),
        *secret_checks(subject),
        *backup_checks(subject),
        *alarm_checks(subject),
        *account_checks(subject),
    )


def reading_policy(checks: Iterable[Check]) -> str:
    """The IAM policy of who runs the checks, as JSON: exactly what they need, which is to read settings."""
    actions = sorted({action for check in checks for action in check.actions})
    statement = {"Sid": "DeployCheck", "Effect": "Allow", "Action": actions, "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]}, indent=2)
