"""A usage, a stack's configuration and its program's resources, which all tests of costs share."""

import pytest

from costs.program import Resources, resources_of
from costs.usage import FunctionUsage, Units, Usage
from emulator.pulumi.project import stack_config
from lambda_packages import ROOT
from topology.config import StackConfig


@pytest.fixture(scope="session")
def prod() -> StackConfig:
    """The configuration of prod as its file has it."""
    return stack_config(ROOT, "prod")


@pytest.fixture(scope="session")
def resources() -> Resources:
    """What the program registers for prod."""
    return resources_of(ROOT, "prod")


@pytest.fixture
def usage() -> Usage:
    """Ten alerts, round figures."""
    return Usage(
        alerts=10,
        api_requests=10,
        functions={
            "reception": FunctionUsage(invocations=10, billed_ms=1_000),
            "analysis": FunctionUsage(invocations=4, billed_ms=20_000),
            "distribution": FunctionUsage(invocations=0, billed_ms=0),
        },
        units={"alerts": Units(reads=5, writes=30), "alerts/timestamp-index": Units(writes=20)},
        queue_sends=18,
        log_bytes=10_000,
        model_calls=4,
        input_tokens=4_000,
        row_bytes=2_000,
        index_bytes=3_000,
        recovery=FunctionUsage(invocations=1, billed_ms=50),
        recovery_units={"coordination": Units(reads=2, writes=1)},
        recovery_log_bytes=600,
    )
