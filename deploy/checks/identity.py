"""Whose the credentials are that a stack is checked with: asked once, before each check finds it out."""

from botocore.exceptions import BotoCoreError, ClientError

from clients.aws import passes
from deploy.checks.subject import Subject
from topology.errors import ExplainedError


class NotTheAccountError(ExplainedError):
    """The credentials are nobody's, or of another account than the stack's; nothing was looked at."""


def check_account(subject: Subject) -> None:
    """Check that the caller is in the account of the stack, which the ARNs among its outputs name.

    Any region's STS knows. Where none answers, the checks go on, since that is what they have to tell.
    The call needs no permission: https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html

    Raises:
        NotTheAccountError: AWS takes the credentials for another account's, or does not take them at all.
    """
    if subject.embedded:
        return
    wanted = subject.deployment.primary.alarm_topic_arn.split(":")[4]
    for region in subject.regions:
        try:
            account = subject.client("sts", region).get_caller_identity()["Account"]
        except (BotoCoreError, ClientError) as error:
            if passes(error):
                continue
            raise NotTheAccountError(
                f"AWS takes no credentials of yours: {error}; log in to account {wanted}, so that "
                "`aws sts get-caller-identity` answers, then run it again"
            ) from error
        if account != wanted:
            raise NotTheAccountError(
                f"the credentials are of account {account}, and the stack is in {wanted}; "
                "choose its profile by AWS_PROFILE, or name the other stack's --outputs"
            )
        return
