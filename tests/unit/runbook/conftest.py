"""A stack on moto for what asks it for history, and rows as the handlers write them."""

from collections.abc import Callable
from typing import Any

import pytest

from clients.deployment import Deployment
from handlers.adapters.aws.dynamodb import attributes_of
from handlers.adapters.aws.items import item_of
from tests.fakes.deployment import PRIMARY, deployment_on_moto
from tests.fakes.moto_clients import moto_client
from tests.unit.handlers.builders import row

Put = Callable[..., str]


@pytest.fixture
def deployment(aws: None) -> Deployment:  # noqa: ARG001 - moto must run
    """A stack with a strong ledger and nothing in it."""
    return deployment_on_moto()


@pytest.fixture
def put(deployment: Deployment) -> Put:
    """`put(alert_id, attribute=value, ...)`: store a row, such as reception makes it; None leaves one out."""

    def store(alert_id: str, *, region: str = PRIMARY, at_s: int = 1_800_000_000, **values: Any) -> str:
        given = {
            **attributes_of(row(at_ms=at_s * 1_000)),
            "alert_id": alert_id,
            "region": region,
            "owner": region,
            **values,
        }
        item = item_of({name: value for name, value in given.items() if value is not None})
        moto_client("dynamodb", region).put_item(TableName=deployment.alerts_table, Item=item)
        return alert_id

    return store
