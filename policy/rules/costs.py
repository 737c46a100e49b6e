"""What would cost by the hour, used or not, unless the configuration asks for it."""

from collections.abc import Iterator

from policy.rule import Resource, Stack, rule

STANDING_COSTS = frozenset(
    {
        "aws:ec2/instance:Instance",
        "aws:ec2/natGateway:NatGateway",
        "aws:ec2/vpcEndpoint:VpcEndpoint",
        "aws:ecs/service:Service",
        "aws:elasticache/replicationGroup:ReplicationGroup",
        "aws:kinesis/stream:Stream",
        "aws:lambda/provisionedConcurrencyConfig:ProvisionedConcurrencyConfig",
        "aws:lb/loadBalancer:LoadBalancer",
        "aws:opensearch/domain:Domain",
        "aws:rds/instance:Instance",
    }
)
"""Types that AWS bills by the hour for being there. No setting asks for one."""


@rule(level="advisory")
def nothing_billed_by_the_hour(resource: Resource, _stack: Stack) -> Iterator[str]:
    """There is no NAT gateway, provisioned concurrency or the like: an idle stack costs next to nothing."""
    if resource.type in STANDING_COSTS:
        yield "AWS bills it by the hour; do without, or make it a setting that is off by default"


@rule("aws:lambda/eventSourceMapping:EventSourceMapping", level="advisory")
def pollers_provisioned_as_configured(resource: Resource, stack: Stack) -> Iterator[str]:
    """A queue has provisioned pollers, billed by the hour, only up to `pollersMax`."""
    pollers = (resource.inputs.get("provisionedPollerConfig") or {}).get("maximumPollers", 0)
    if pollers != stack.config.pollers_max:
        yield f"it has {pollers} provisioned pollers at most; make it pollersMax, {stack.config.pollers_max}"


@rule("aws:dynamodb/table:Table", controls=("DynamoDB.1",), level="advisory")
def tables_billed_by_use(resource: Resource, _stack: Stack) -> Iterator[str]:
    """A table takes what load there is and is billed by use."""
    if resource.inputs.get("billingMode") != "PAY_PER_REQUEST":
        yield f"billingMode is {resource.inputs.get('billingMode')}; set PAY_PER_REQUEST"
