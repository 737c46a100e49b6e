"""Tuning on the embedded AWS: limits hold while they are planted, are named, and leave nothing behind.

`make tune-limits` searches each of them, which takes minutes.
"""

import pytest

from clients.alert_source import AlertSource
from emulator.client import Emulator
from emulator.local_stack import LocalStack
from loadtests.throughput.embedded_telemetry import EmbeddedTelemetry
from loadtests.throughput.measures import read_slo
from loadtests.throughput.planted import LIMITS, PlantedLimit, Site
from loadtests.throughput.saturation import Resource, saturation
from loadtests.throughput.stack_probe import StackProbe
from ops.local.running import webhooks_of

pytestmark = pytest.mark.emulator

OVERLOAD_PER_S = 6.0
SECONDS = 20.0
"""Many times what an invocation takes: the first and the last are not whole in it."""

BUSY_MACHINE = (Resource.GENERATOR, Resource.MACHINE)
"""What saturates first where other work leaves this machine too little; to say so is right."""


@pytest.fixture
def site(emulator: Emulator, stack: LocalStack) -> Site:
    """The stack's primary region, and a probe of it."""
    deployment = stack.deployment
    probe = StackProbe(
        deployment=deployment,
        endpoints=deployment.primary,
        webhook=webhooks_of(deployment)[0],
        reader=EmbeddedTelemetry(emulator, deployment, deployment.primary),
        source=AlertSource(source="tune", critical_percent=100.0),
        slo=read_slo(),
    )
    return Site(emulator, deployment, probe)


def throttle_of(site: Site) -> object:
    """The usage plan's throttle."""
    plans = site.client("apigateway").get_usage_plans(limit=500)["items"]
    return [(plan["name"], plan.get("throttle")) for plan in plans]


@pytest.mark.parametrize(
    "limit", [one for one in LIMITS if one.resource in (Resource.API, Resource.RECEPTION, Resource.POLLERS)]
)
def test_a_limit_is_named_while_it_is_planted_and_lifted_after_it(site: Site, limit: PlantedLimit) -> None:
    """By the stack's own figures, or the machine is; its settings are as they were."""
    site.probe.warm_up()
    settings, throttle = site.settings.read(), throttle_of(site)
    with limit.plant(site) as per_s:
        result = site.probe(OVERLOAD_PER_S, SECONDS)
        site.probe.settle()
    assert not result.passed
    assert result.served_per_s <= per_s * 1.25
    assert saturation(result.telemetry).resource in {limit.resource, *BUSY_MACHINE}
    assert (site.settings.read(), throttle_of(site)) == (settings, throttle)
