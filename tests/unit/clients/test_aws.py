"""AWS clients: shared, signed for their region, and never with a person's own keys on the embedded AWS."""

from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qs, urlsplit

import pytest
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    ReadTimeoutError,
)

from clients.aws import AwsClients, UnknownProfileError, passes
from tests.fakes.aws_refusals import refusal


def test_one_client_a_service_and_region() -> None:
    """Also when many threads ask at once: creating one is slow, and not thread-safe in botocore."""
    clients = AwsClients("http://127.0.0.1:1")
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: clients.client("sqs", "us-east-1"), range(32)))
    assert len({id(client) for client in made}) == 1
    assert clients.client("sqs", "us-west-2") is not made[0]
    assert clients.client("sns", "us-east-1") is not made[0]


def test_a_client_reaches_the_endpoint_and_signs_for_its_region() -> None:
    """The edge routes by the region in the signature."""
    client = AwsClients("http://127.0.0.1:1").client("dynamodb", "us-west-2")
    assert (client.meta.endpoint_url, client.meta.region_name) == ("http://127.0.0.1:1", "us-west-2")


def signer(clients: AwsClients) -> str:
    """The access key that a call is signed with."""
    url = clients.client("s3", "us-west-2").generate_presigned_url("list_buckets")
    query = parse_qs(urlsplit(url).query)
    credential = query.get("X-Amz-Credential") or query["AWSAccessKeyId"]
    return credential[0].partition("/")[0]


def test_the_embedded_aws_never_sees_a_persons_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys in the environment are for AWS itself."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAOFAPERSON")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of-a-person")
    assert signer(AwsClients("http://127.0.0.1:1")) == "test"
    assert signer(AwsClients()) == "AKIAOFAPERSON"


def test_a_user_of_the_embedded_aws_signs_with_its_own_key() -> None:
    """IAM, where it is enforced, goes by whose key signs."""
    assert signer(AwsClients("http://127.0.0.1:1", access_key="AKIAUSER", secret_key="two")) == "AKIAUSER"


def test_the_embedded_aws_is_reached_by_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A person's proxy knows nothing of this machine; AWS itself is reached as the environment says."""
    for name in ("NO_PROXY", "no_proxy", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    with pytest.raises(EndpointConnectionError):  # and not ProxyConnectionError
        AwsClients("http://127.0.0.1:1", attempts_max=1).client("sts", "us-east-1").get_caller_identity()
    aws = AwsClients(access_key="AKIAUSER", secret_key="two")
    assert aws.client("sts", "us-east-1").meta.config.proxies is None


def test_every_call_has_a_deadline_and_few_attempts() -> None:
    """A region that is cut must fail the call, not hang it."""
    config = AwsClients("http://127.0.0.1:1", read_timeout_s=3, attempts_max=1).client("sqs", "r").meta.config
    assert (config.connect_timeout, config.read_timeout) == (5, 3)
    assert config.retries["total_max_attempts"] == 1


@pytest.mark.parametrize(
    ("error", "later"),
    [
        (refusal("ThrottlingException"), True),
        (refusal("InternalServerError", status=500), True),
        (refusal("AccessDeniedException"), False),
        (refusal("ResourceNotFoundException"), False),
        (EndpointConnectionError(endpoint_url="x"), True),
        (ReadTimeoutError(endpoint_url="x"), True),
        (NoCredentialsError(), False),
    ],
)
def test_what_may_pass_is_told_from_what_stays(error: BotoCoreError | ClientError, later: bool) -> None:  # noqa: FBT001 - a parameter
    """Waiting for what a person has to change would hide it."""
    assert passes(error) is later


def test_profile_that_does_not_exist_is_nothing_to_the_embedded_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    """And one line with what to do for AWS itself."""
    monkeypatch.setenv("AWS_PROFILE", "no-such-profile")
    assert signer(AwsClients("http://127.0.0.1:1")) == "test"
    with pytest.raises(UnknownProfileError, match=r"no-such-profile.*AWS_PROFILE"):
        AwsClients()
