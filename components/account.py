"""Which account a deployment goes to: asked before anything is registered, in a preview as well."""

from typing import Final

import pulumi_aws as aws

from topology.config import StackConfig
from topology.errors import ExplainedError
from topology.names import EMBEDDED_ACCOUNT, LOCAL_STACK
from topology.regions import ALWAYS_ENABLED

LOCAL_NEXT: Final = "run `responder local up`, or with the Pulumi CLI `responder local pulumi -- up -s local`"


class AccountError(ExplainedError):
    """The credentials are missing, or are for an account that the stack must not or cannot be deployed to."""


def checked_account(config: StackConfig) -> str:
    """The id of the account that the deployment goes to, once it is the right one.

    AWS itself is asked, since no setting can tell: stack `local` must never be made on AWS, whatever the
    environment says, and no other stack in an account that its configuration does not name.

    Raises:
        AccountError: there are no credentials, the account is another one, or a region is not enabled in it.
    """
    local = config.stack == LOCAL_STACK
    try:
        account = aws.get_caller_identity().account_id
    except Exception as error:
        reason = " ".join(str(error).split())
        advice = LOCAL_NEXT if local else "log in to the account (`aws sts get-caller-identity` answers then)"
        raise AccountError(f"AWS does not say which account this is ({reason}); {advice}") from error
    if local and account != EMBEDDED_ACCOUNT:
        raise AccountError(
            f"stack {LOCAL_STACK} is for the embedded AWS, and this is account {account}; {LOCAL_NEXT}"
        )
    if config.expected_account_id not in {"", account}:
        raise AccountError(
            f"expectedAccountId: the credentials are for account {account}, and {config.stack} belongs in "
            f"{config.expected_account_id}; log in to that one"
        )
    asked = {config.primary_region, config.failover_region, config.witness_region} - {""} - ALWAYS_ENABLED
    if asked and (closed := sorted(asked - set(aws.get_regions().names))):
        raise AccountError(
            f"{', '.join(closed)} is not enabled in account {account}; run `aws account enable-region "
            f"--region-name {closed[0]}` and wait until it is, or name another region"
        )
    return account
