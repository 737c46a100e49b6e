"""AWS clients, made once per service and region and shared by every thread.

The command line, the demo, the drills and the embedded AWS's deployment all reach AWS through one
`AwsClients`: 110 resources deploy in about a second over shared clients, and in ten with a session each.
"""

import threading
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError, ProfileNotFound
from botocore.exceptions import ConnectionError as NoConnectionError

from topology.errors import ExplainedError

CONNECT_TIMEOUT_S: Final = 5
READ_TIMEOUT_S: Final = 30
"""Above the longest call made: a synchronous Lambda invocation within API Gateway's 29 s."""

ATTEMPTS_MAX: Final = 4
POOL_CONNECTIONS: Final = 32
EMBEDDED_CREDENTIAL: Final = "test"
"""Access key and secret of the embedded AWS, which maps them to account 000000000000."""


_PASSING: Final = frozenset(
    {
        "BandwidthLimitExceeded",
        "LimitExceededException",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
        "ReplicatedWriteConflictException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "RequestTimeout",
        "RequestTimeoutException",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "TooManyRequestsException",
        "TransactionInProgressException",
    }
)
"""The codes that botocore's standard mode tries again, and DynamoDB's for a write in the other region.
https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html"""

_SERVER_ERROR: Final = 500


def passes(error: BotoCoreError | ClientError) -> bool:
    """Whether the same call may go through later: AWS was busy or failed itself, or nothing answered.

    Everything else, such as AccessDenied or missing credentials, stays until a person changes something.
    """
    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return error.response["Error"]["Code"] in _PASSING or status >= _SERVER_ERROR
    return isinstance(error, NoConnectionError | HTTPClientError)


_ABSENT: Final = frozenset(
    {
        "404",
        "AWS.SimpleQueueService.NonExistentQueue",
        "NoSuchBucket",
        "NoSuchBucketPolicy",
        "NoSuchEntity",
        "NoSuchHealthCheck",
        "NoSuchHostedZone",
        "NoSuchKey",
        "NoSuchLifecycleConfiguration",
        "NoSuchPublicAccessBlockConfiguration",
        "NotFound",
        "NotFoundException",
        "ObjectLockConfigurationNotFoundError",
        "QueueDoesNotExist",
        "ResourceNotFound",
        "ResourceNotFoundException",
        "StateMachineDoesNotExist",
        "TableNotFoundException",
    }
)


def is_absent(error: ClientError) -> bool:
    """Whether AWS answers that what a call is about does not exist."""
    return error.response["Error"]["Code"] in _ABSENT


_NO_PROFILE: Final = {"profile": (None, None, None, None)}
"""The embedded AWS has nothing to do with a person's profiles, not even with one that does not exist."""


class UnknownProfileError(ExplainedError):
    """The profile that the environment names is in none of the AWS CLI's files."""


class NoCredentialsGivenError(ExplainedError):
    """Neither the environment nor the AWS CLI's files have credentials of AWS."""


class AwsClients:
    """Hands out boto3 clients of one account. Safe to use from many threads.

    `endpoint_url` None means AWS itself, with the caller's own credentials; else every service is
    reached there, with credentials that are valid nowhere else, and by no proxy of the user's. Without an
    endpoint the user's `AWS_ENDPOINT_URL` would apply, as it does for the AWS CLI.
    """

    def __init__(
        self,
        endpoint_url: str | None = None,
        *,
        access_key: str | None = None,
        secret_key: str | None = None,
        read_timeout_s: float = READ_TIMEOUT_S,
        attempts_max: int = ATTEMPTS_MAX,
    ) -> None:
        """Remember how to connect; nothing is sent.

        `attempts_max` counts the first try. Keys default to the embedded AWS's if `endpoint_url` is given.
        """
        import boto3  # noqa: PLC0415 - slow, and a command's --help needs none
        import botocore.session  # noqa: PLC0415
        from botocore.config import Config  # noqa: PLC0415

        embedded = EMBEDDED_CREDENTIAL if endpoint_url else None
        self.endpoint_url: Final = endpoint_url
        self._config = Config(
            connect_timeout=CONNECT_TIMEOUT_S,
            read_timeout=read_timeout_s,
            retries={"total_max_attempts": attempts_max, "mode": "standard"},
            max_pool_connections=POOL_CONNECTIONS,
            proxies={} if endpoint_url else None,  # None: those of the environment
        )
        try:
            self._session = boto3.Session(
                aws_access_key_id=access_key or embedded,
                aws_secret_access_key=secret_key or embedded,
                botocore_session=botocore.session.Session(session_vars=_NO_PROFILE if embedded else {}),
            )
        except ProfileNotFound as error:
            raise UnknownProfileError(f"{error}; correct AWS_PROFILE, or unset it") from error
        self._clients: dict[tuple[str, str], Any] = {}
        self._lock = threading.Lock()

    def check_credentials(self) -> None:
        """Check that there are credentials to call AWS with, before each call finds it out.

        Raises:
            NoCredentialsGivenError: there are none.
        """
        if self._session.get_credentials() is None:
            raise NoCredentialsGivenError(
                "there are no AWS credentials; log in or set AWS_PROFILE, so that `aws sts "
                "get-caller-identity` answers, then run it again"
            )

    def client(self, service: str, region: str) -> Any:
        """The client of a service (`dynamodb`, `lambda`) in a region; the same one at every call.

        Creating a client is not thread-safe in botocore, using one is.
        https://boto3.amazonaws.com/v1/documentation/api/latest/guide/clients.html#multithreading-or-multiprocessing-with-clients
        """
        with self._lock:
            client = self._clients.get((service, region))
            if client is None:
                client = self._session.client(
                    service,  # type: ignore[call-overload]  # the stubs want one literal per service
                    region_name=region,
                    endpoint_url=self.endpoint_url,
                    config=self._config,
                )
                self._clients[service, region] = client
            return client
