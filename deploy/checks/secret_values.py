"""Secrets: each has a value, in both regions the same. No value is read, only which version is current."""

from botocore.exceptions import ClientError

from clients.aws import is_absent
from clients.checks import Check, Finding, failed, ok, unknown
from deploy.checks.subject import Subject

_CURRENT = "AWSCURRENT"
_ACTIONS = ("secretsmanager:DescribeSecret",)


def secret_checks(subject: Subject) -> tuple[Check, ...]:
    """The checks of all secrets of a stack."""
    return (
        subject.check(
            "secret-values",
            "secrets",
            "every secret has a value",
            actions=_ACTIONS,
            run=_values,
        ),
        subject.check(
            "secret-replicas",
            "secrets",
            "the failover region has the value of the primary",
            actions=_ACTIONS,
            run=_replicas,
            regions=(subject.deployment.failover.region,),
        ),
    )


def secret_names(subject: Subject) -> tuple[str, ...]:
    """The secrets that the functions of the stack read."""
    names = subject.deployment.names
    bot = (names.slack_bot_token_secret,) if subject.config.slack_channel else ()
    routed = [names.route_secret(route.secret) for route in subject.config.routes if route.secret]
    return tuple(dict.fromkeys([names.slack_webhook_secret, names.anthropic_key_secret, *bot, *routed]))


def _values(subject: Subject, region: str) -> Finding:
    empty = []
    for name in secret_names(subject):
        try:
            if current_version(subject, region, name) is None:
                empty.append(name)
        except ClientError as error:
            if not is_absent(error):
                raise
            return failed(f"there is no secret {name} in {region}", f"run {subject.up}")
    if not empty:
        return ok(f"{len(secret_names(subject))} secrets have a value")
    first = subject.deployment.primary.region
    put = f"aws secretsmanager put-secret-value --region {first} --secret-id {empty[0]} --secret-string file://FILE"
    return failed(f"{', '.join(empty)} without a value", f"put it in the primary region: `{put}`")


def _replicas(subject: Subject, region: str) -> Finding:
    primary, behind = subject.deployment.primary.region, []
    for name in secret_names(subject):
        wanted = current_version(subject, primary, name)
        if wanted is None:
            return unknown(f"{name} has no value in {primary} yet")
        if current_version(subject, region, name) != wanted:
            behind.append(name)
    if behind:
        hint = "wait a minute and run it again; `aws secretsmanager describe-secret` in the primary says why"
        return failed(f"{', '.join(behind)}: not the value of {primary}", hint)
    return ok(f"the same versions as in {primary}")


def current_version(subject: Subject, region: str, name: str) -> str | None:
    """The id of a secret's current version; its replica has the same. None too if it is to be deleted.

    https://docs.aws.amazon.com/secretsmanager/latest/userguide/create-manage-multi-region-secrets.html
    """
    described = subject.client("secretsmanager", region).describe_secret(SecretId=name)
    versions = {} if described.get("DeletedDate") else described.get("VersionIdsToStages") or {}
    return next((version for version, stages in versions.items() if _CURRENT in stages), None)
