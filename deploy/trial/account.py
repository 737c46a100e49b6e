"""Whether a trial may touch the account that the credentials are of."""

import os
from typing import Final

from botocore.exceptions import BotoCoreError, ClientError

from clients.aws import AwsClients
from topology.errors import ExplainedError

_ENDPOINTS: Final = "AWS_ENDPOINT_URL"


class WrongAccountError(ExplainedError):
    """The credentials are not of the account that was named, or of none; nothing was done."""


def check_account(clients: AwsClients, *, wanted: str, region: str) -> None:
    """Check that the caller is in the account that a person has named.

    Raises:
        WrongAccountError: it is another one, or AWS does not say, or AWS is not what would be asked.
    """
    if redirected := sorted(name for name in os.environ if name.startswith(_ENDPOINTS)):
        raise WrongAccountError(
            f"{', '.join(redirected)} leads elsewhere than to AWS; unset it, or leave --on-aws out"
        )
    try:
        account = clients.client("sts", region).get_caller_identity()["Account"]
    except (BotoCoreError, ClientError) as error:
        raise WrongAccountError(
            f"AWS does not say whose the credentials are: {error}; see to `aws sts get-caller-identity`"
        ) from error
    if account != wanted:
        raise WrongAccountError(
            f"--account: the credentials are of account {account}, not {wanted}; nothing was done"
        )
