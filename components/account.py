"""Which account a deployment goes to: asked before anything is registered, in a preview as well."""

from collections.abc import Callable
from typing import Final, TypeVar

import pulumi_aws as aws

from topology.config import StackConfig
from topology.errors import ExplainedError
from topology.names import EMBEDDED_ACCOUNT, LOCAL_STACK
from topology.regions import ALWAYS_ENABLED

LOCAL_NEXT: Final = "run `responder local up`, or with the Pulumi CLI `responder local pulumi -- up -s local`"


_Answer = TypeVar("_Answer")


class AccountError(ExplainedError):
    """The credentials are missing, or are for an account that the stack must not or cannot be deployed to."""


def checked_account(config: StackConfig) -> str:
    """The id of the account that the deployment goes to, once it is the right one.

    AWS itself is asked, since no setting can tell: stack `local` must never be made on AWS, whatever the
    environment says, and no other stack in an account that its configuration does not name.

    Raises:
        AccountError: AWS does not answer, the account is another one, or a region is not enabled in it.
    """
    local = config.stack == LOCAL_STACK
    log_in = LOCAL_NEXT if local else "log in to the account (`aws sts get-caller-identity` answers then)"
    account = _asked(aws.get_caller_identity, "which account this is", log_in).account_id
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
    if not asked:
        return account
    may = f"let who deploys have ec2:DescribeRegions, or name regions other than {', '.join(sorted(asked))}"
    enabled = _asked(aws.get_regions, f"which regions are enabled in account {account}", may).names
    if closed := sorted(asked - set(enabled)):
        raise AccountError(
            f"{', '.join(closed)} is not enabled in account {account}; run `aws account enable-region "
            f"--region-name {closed[0]}` and wait until it is, or name another region"
        )
    return account


def _asked(ask: Callable[[], _Answer], what: str, next_step: str) -> _Answer:
    """The answer of AWS, through the provider. A call of it that fails raises a bare `Exception`."""
    try:
        return ask()
    except Exception as error:
        raise AccountError(
            f"AWS does not say {what} ({' '.join(str(error).split())}); {next_step}"
        ) from error
