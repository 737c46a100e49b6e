"""What tests of a running embedded AWS share; each folder below has one, which ends with its last test.

An emulator has free ports and a folder of its own. Modules of this folder start theirs by themselves.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from emulator.client import Emulator

REGIONS = ("us-east-1", "us-west-2")

SOON_S = 120.0
"""Two cold functions and their imports on a busy machine; on a quiet one they take five seconds."""

Client = Callable[..., Any]
"""`client(service, region)`: a boto3 client at the edge."""


@contextmanager
def running_emulator(folder: Path) -> Iterator[Emulator]:
    """A running emulator of two regions; its starter's environment has keys that must not reach it."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("ANTHROPIC_API_KEY", "sk-ant-of-a-person")
        environment.setenv("AWS_PROFILE", "of-a-person")
        environment.setenv("SLACK_WEBHOOK_URL", "https://hooks.slack.com/services/of/a/person")
        running = Emulator.start(folder, regions=REGIONS)
    with running:
        yield running


@pytest.fixture
def whole(emulator: Emulator) -> Iterator[Emulator]:
    """The emulator, for a test that breaks regions: all are brought back after it."""
    yield emulator
    emulator.clear_faults()
    for region in emulator.regions:
        emulator.bring_back(region)


@pytest.fixture(scope="session")
def client_at() -> Callable[..., Any]:
    """Make a boto3 client at an endpoint; one session, since each new one costs a tenth of a second."""
    session = boto3.Session()
    config = Config(connect_timeout=10, read_timeout=60, retries={"total_max_attempts": 1})

    def make(
        endpoint_url: str,
        service: str,
        region: str,
        *,
        key: tuple[str, str] = ("test", "test"),
        **options: Any,
    ) -> Any:
        return session.client(
            service,
            region_name=region,
            endpoint_url=endpoint_url,
            aws_access_key_id=key[0],
            aws_secret_access_key=key[1],
            config=config.merge(Config(**options)),
        )

    return make


@pytest.fixture(scope="module")
def client(emulator: Emulator, client_at: Callable[..., Any]) -> Client:
    """Make a boto3 client at the edge."""

    def make(service: str, region: str, **options: Any) -> Any:
        return client_at(emulator.edge_url, service, region, **options)

    return make


@pytest.fixture(scope="session")
def eventually() -> Callable[..., Any]:
    """Poll until a condition holds, and return what it gave; fail after a deadline, with what is `shown`.

    Ever more seldom, down to twice a second: what is waited for needs the processor too.
    """

    def wait(
        condition: Callable[[], Any], *, within_s: float = SOON_S, shown: Callable[[], Any] = lambda: ""
    ) -> Any:
        deadline, pause_s = time.monotonic() + within_s, 0.05
        while not (value := condition()):
            if time.monotonic() > deadline:
                pytest.fail(f"not so within {within_s} s: {condition} {shown()}")
            time.sleep(pause_s)
            pause_s = min(1.2 * pause_s, 0.5)
        return value

    return wait
