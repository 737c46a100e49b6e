"""`docs/deploy-check.md` lists every check, and exactly the permissions that they need."""

import dataclasses
import json

from clients.checks import Check
from deploy.checks.catalogue import deploy_checks, reading_policy
from deploy.checks.subject import Subject
from emulator.pulumi.project import stack_config
from lambda_packages import ROOT
from tests.fakes.documents import CHECKS_PAGE, documented_policy
from tests.fakes.recorded_aws import RecordedAws, recorded_deployment


def every_check() -> tuple[Check, ...]:
    """Those of a stack that has all there is."""
    config = dataclasses.replace(
        stack_config(ROOT, "prod"), alarm_email="oncall@example.com", api_access_log=True
    )
    return deploy_checks(Subject(recorded_deployment(RecordedAws({})), config))


def test_the_page_has_each_check_as_it_is() -> None:
    """Its id, category and what holds; and no other."""
    rows = [line for line in CHECKS_PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    checks = [f"| `{check.id}` | {check.category} | {check.title} |" for check in every_check()]
    assert rows[:-1] == checks
    assert "alert-reaches-slack" in rows[-1]


def test_the_pages_policy_is_what_the_checks_need() -> None:
    """A permission more would be one that nobody needs."""
    assert documented_policy() == json.loads(reading_policy(every_check()))
