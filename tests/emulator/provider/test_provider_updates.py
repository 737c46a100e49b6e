"""Every kind of resource changed in place on the embedded AWS, and read back."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.emulator.provider.deployer import Deployer

pytestmark = pytest.mark.emulator

Client = Callable[..., Any]
HERE = "us-east-1"
THERE = "us-west-2"

DATA = """
changed = {changed}
tags = {{"Kept": "yes", "Added": "new"}} if changed else {{"Kept": "no", "Removed": "old"}}
statement = {{"Effect": "Deny", "Action": "*", "Resource": "*"}}
policy = json.dumps({{"Version": "2012-10-17", "Id": f"changed {{changed}}", "Statement": [statement]}})
aws.dynamodb.Table(
    "t", region="us-east-1", name="things", billing_mode="PAY_PER_REQUEST", hash_key="id", tags=tags,
    attributes=[{{"name": "id", "type": "S"}}], stream_enabled=True, stream_view_type="NEW_AND_OLD_IMAGES",
    ttl={{"attribute_name": "until", "enabled": True}} if changed else None,
    point_in_time_recovery={{"enabled": changed}},
    replicas=[{{"region_name": "us-west-2"}}] if changed else None,
)
secret = aws.secretsmanager.Secret(
    "s", region="us-east-1", name="s", tags=tags, recovery_window_in_days=0,
    replicas=[{{"region": "us-west-2"}}],
)
aws.cloudwatch.LogGroup("l", region="us-east-1", name="l", tags=tags,
                        retention_in_days=7 if changed else None)
aws.cloudwatch.MetricAlarm(
    "a", region="us-east-1", name="a", tags=tags, namespace="N", metric_name="M", dimensions={{"Stack": "s"}},
    statistic="Maximum", period=60, evaluation_periods=1, threshold=2 if changed else 1,
    comparison_operator="GreaterThanOrEqualToThreshold", treat_missing_data="missing",
    alarm_description="d", alarm_actions=[],
)
key = aws.kms.Key("k", region="us-east-1", description=f"changed {{changed}}", tags=tags,
                  policy=policy)
topic = aws.sns.Topic("n", region="us-east-1", name="n", tags=tags)
aws.sns.TopicPolicy("n", region="us-east-1", arn=topic.arn, policy=policy)
role = aws.iam.Role("r", name="r", tags=tags, assume_role_policy=policy)
aws.iam.RolePolicy("p", name="p", role=role.name, policy=policy)
aws.scheduler.Schedule(
    "c", region="us-east-1", name="c", flexible_time_window={{"mode": "OFF"}},
    schedule_expression="rate(2 days)" if changed else "rate(1 days)",
    target={{"arn": topic.arn, "role_arn": role.arn}},
)
pulumi.export("Key", key.key_id)
pulumi.export("Secret", secret.arn)
pulumi.export("Topic", topic.arn)
pulumi.export("Table", pulumi.Output.concat("arn:aws:dynamodb:us-east-1:000000000000:table/", "things"))
"""

KEPT = {"Kept": "yes", "Added": "new"}


def as_dict(tags: list[dict[str, str]]) -> dict[str, str]:
    """Tags in AWS's list form, `Key` or `TagKey`, as a mapping."""
    return {
        next(v for k, v in t.items() if k.endswith("Key")): t.get("Value", t.get("TagValue")) for t in tags
    }


def test_data_and_access_are_changed_in_place(deployer: Deployer, client: Client) -> None:
    """Tables, secrets, logs, alarms, keys, topics, roles and schedules keep their ids."""
    before = deployer.up(DATA.format(changed=False))
    after = deployer.up(DATA.format(changed=True))
    assert (after.replaced, after.created, after.deleted) == (0, 0, 0)
    assert (after.updated, after.same, after.outputs) == (10, 0, before.outputs)

    dynamodb = client("dynamodb", HERE)
    ttl = dynamodb.describe_time_to_live(TableName="things")["TimeToLiveDescription"]
    assert (ttl["TimeToLiveStatus"], ttl["AttributeName"]) == ("ENABLED", "until")
    backups = dynamodb.describe_continuous_backups(TableName="things")["ContinuousBackupsDescription"]
    assert backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "ENABLED"
    assert as_dict(dynamodb.list_tags_of_resource(ResourceArn=after.outputs["Table"])["Tags"]) == KEPT
    dynamodb.put_item(TableName="things", Item={"id": {"S": "one"}})
    assert client("dynamodb", THERE).scan(TableName="things")["Count"] == 1

    secrets = client("secretsmanager", HERE)
    assert as_dict(secrets.describe_secret(SecretId="s")["Tags"]) == KEPT
    secrets.put_secret_value(SecretId="s", SecretString="value")
    assert client("secretsmanager", THERE).get_secret_value(SecretId="s")["SecretString"] == "value"

    [group] = client("logs", HERE).describe_log_groups(logGroupNamePrefix="l")["logGroups"]
    assert group["retentionInDays"] == 7
    cloudwatch = client("cloudwatch", HERE)
    [alarm] = cloudwatch.describe_alarms(AlarmNames=["a"])["MetricAlarms"]
    assert (alarm["Threshold"], alarm["Dimensions"]) == (2.0, [{"Name": "Stack", "Value": "s"}])
    assert as_dict(cloudwatch.list_tags_for_resource(ResourceARN=alarm["AlarmArn"])["Tags"]) == KEPT
    kms = client("kms", HERE)
    described = kms.describe_key(KeyId=after.outputs["Key"])["KeyMetadata"]
    assert described["Description"] == "changed True"
    policy = kms.get_key_policy(KeyId=after.outputs["Key"], PolicyName="default")["Policy"]
    assert json.loads(policy)["Id"] == "changed True"
    assert as_dict(kms.list_resource_tags(KeyId=after.outputs["Key"])["Tags"]) == KEPT

    sns = client("sns", HERE)
    attributes = sns.get_topic_attributes(TopicArn=after.outputs["Topic"])["Attributes"]
    assert json.loads(attributes["Policy"])["Id"] == "changed True"
    assert as_dict(sns.list_tags_for_resource(ResourceArn=after.outputs["Topic"])["Tags"]) == KEPT
    iam = client("iam", HERE)
    assert iam.get_role(RoleName="r")["Role"]["AssumeRolePolicyDocument"]["Id"] == "changed True"
    assert as_dict(iam.list_role_tags(RoleName="r")["Tags"]) == KEPT
    assert iam.get_role_policy(RoleName="r", PolicyName="p")["PolicyDocument"]["Id"] == "changed True"
    assert client("scheduler", HERE).get_schedule(Name="c")["ScheduleExpression"] == "rate(2 days)"


def test_what_an_argument_turned_on_is_turned_off_without_it(deployer: Deployer, client: Client) -> None:
    """The way back: TTL, backups, the replica and the retention are gone."""
    deployer.up(DATA.format(changed=True))
    assert deployer.up(DATA.format(changed=False)).updated == 10
    dynamodb = client("dynamodb", HERE)
    ttl = dynamodb.describe_time_to_live(TableName="things")["TimeToLiveDescription"]
    assert ttl["TimeToLiveStatus"] == "DISABLED"
    assert client("dynamodb", THERE).list_tables()["TableNames"] == []
    [group] = client("logs", HERE).describe_log_groups(logGroupNamePrefix="l")["logGroups"]
    assert "retentionInDays" not in group


ACCESS = """
changed = {changed}
tags = {{"Kept": "yes", "Added": "new"}} if changed else {{"Kept": "no", "Removed": "old"}}
where = dict(region="us-east-1")
api = aws.apigateway.RestApi("a", name="a", endpoint_configuration={{"types": "REGIONAL"}},
                             tags=tags, **where)
path = aws.apigateway.Resource("p", rest_api=api.id, parent_id=api.root_resource_id, path_part="p", **where)
method = aws.apigateway.Method("m", rest_api=api.id, resource_id=path.id, http_method="GET",
                               authorization="NONE", api_key_required=False, **where)
deployment = aws.apigateway.Deployment("d", rest_api=api.id, triggers={{"t": "1"}}, **where,
                                       opts=pulumi.ResourceOptions(depends_on=[method]))
log = aws.cloudwatch.LogGroup("g", name="g", retention_in_days=1, **where)
stage = aws.apigateway.Stage("s", rest_api=api.id, deployment=deployment.id, stage_name="v1",
                             tags=tags, **where, access_log_settings={{
                                 "destination_arn": log.arn, "format": "{{}}"}} if changed else None)
aws.apigateway.MethodSettings("l", rest_api=api.id, stage_name=stage.stage_name, method_path="p/GET", **where,
                              settings={{"throttling_rate_limit": 2 if changed else 1,
                                         "throttling_burst_limit": 0 if changed else 1}})
other = aws.apigateway.Stage("o", rest_api=api.id, deployment=deployment.id, stage_name="v2", **where)
plan = aws.apigateway.UsagePlan("u", name="u", tags=tags, **where,
                                api_stages=[{{"api_id": api.id, "stage": served.stage_name}}
                                            for served in ([other] if changed else [stage])],
                                throttle_settings={{"rate_limit": 50 if changed else 5, "burst_limit": 9}})
key = aws.apigateway.ApiKey("k", name="k", tags=tags, **where)
member = aws.apigateway.UsagePlanKey("k", usage_plan_id=plan.id, key_id=key.id, key_type="API_KEY", **where)
pulumi.export("Api", api.id)
pulumi.export("Plan", plan.id)
pulumi.export("Value", key.value)
"""


def test_an_apis_access_is_changed_in_place(deployer: Deployer, client: Client) -> None:
    """Limits and tags are new; the API, its key and the key's value are the same."""
    before = deployer.up(ACCESS.format(changed=False))
    after = deployer.up(ACCESS.format(changed=True))
    assert (after.replaced, after.created, after.deleted) == (0, 0, 0)
    assert (after.updated, after.outputs) == (5, before.outputs)
    gateway = client("apigateway", HERE)
    api, plan = after.outputs["Api"], after.outputs["Plan"]
    stage = gateway.get_stage(restApiId=api, stageName="v1")
    assert stage["accessLogSettings"] == {
        "destinationArn": f"arn:aws:logs:{HERE}:000000000000:log-group:g",
        "format": "{}",
    }
    limits = stage["methodSettings"]["p/GET"]
    assert (limits["throttlingRateLimit"], limits["throttlingBurstLimit"]) == (2, 0)
    described = gateway.get_usage_plan(usagePlanId=plan)
    assert float(described["throttle"]["rateLimit"]) == 50
    assert described["apiStages"] == [{"apiId": api, "stage": "v2"}]
    for path in (f"/restapis/{api}", f"/restapis/{api}/stages/v1", f"/usageplans/{plan}"):
        arn = f"arn:aws:apigateway:{HERE}::{path}"
        assert gateway.get_tags(resourceArn=arn)["tags"] == KEPT, path
    deployer.up(ACCESS.format(changed=False))
    assert not gateway.get_stage(restApiId=api, stageName="v1").get("accessLogSettings")


TRIGGER = """
changed = {changed}
queue = aws.sqs.Queue("q", name="q", region="us-east-1")
role = aws.iam.Role("r", name="r", assume_role_policy="{{}}")
function = aws.lambda_.Function("f", name="f", region="us-east-1", role=role.arn, runtime="python3.13",
                                handler="main.handler", publish=True, code=pulumi.FileArchive({archive!r}),
                                tags={{"Changed": str(changed)}},
                                reserved_concurrent_executions=3 if changed else None)
aws.lambda_.EventSourceMapping(
    "e", region="us-east-1", event_source_arn=queue.arn, function_name=function.name,
    batch_size=7 if changed else 3, scaling_config={{"maximum_concurrency": 4 if changed else 2}},
)
pollers = {{"minimum_pollers": 2, "maximum_pollers": 3}}
aws.lambda_.EventSourceMapping(
    "p", region="us-east-1", event_source_arn=aws.sqs.Queue("p", name="p", region="us-east-1").arn,
    function_name=function.name, batch_size=1,
    scaling_config=None if changed else {{"maximum_concurrency": 2}},
    provisioned_poller_config=pollers if changed else None,
)
pulumi.export("Function", function.arn)
pulumi.export("Version", function.version)
"""


def test_a_functions_limits_and_triggers_are_changed_in_place(deployer: Deployer, client: Client) -> None:
    """Concurrency and batches are new; no version is published for them."""
    archive = deployer.folder / "package.zip"
    archive.write_bytes(b"PK\x05\x06" + bytes(18))
    before = deployer.up(TRIGGER.format(changed=False, archive=str(archive)))
    after = deployer.up(TRIGGER.format(changed=True, archive=str(archive)))
    assert (after.updated, after.same, after.outputs) == (3, 3, before.outputs)
    functions = client("lambda", HERE)
    reserved = functions.get_function_concurrency(FunctionName="f")["ReservedConcurrentExecutions"]
    listed = functions.list_event_source_mappings(FunctionName="f")["EventSourceMappings"]
    mapping, provisioned = sorted(listed, key=lambda one: -one["BatchSize"])
    assert (reserved, mapping["BatchSize"]) == (3, 7)
    assert mapping["ScalingConfig"]["MaximumConcurrency"] == 4
    assert provisioned["ProvisionedPollerConfig"] == {"MinimumPollers": 2, "MaximumPollers": 3}
    assert not provisioned.get("ScalingConfig")
    assert functions.list_tags(Resource=after.outputs["Function"])["Tags"] == {"Changed": "True"}
    deployer.up(TRIGGER.format(changed=False, archive=str(archive)))
    assert "ReservedConcurrentExecutions" not in functions.get_function_concurrency(FunctionName="f")
    provisioned = functions.get_event_source_mapping(UUID=provisioned["UUID"])
    assert "ProvisionedPollerConfig" not in provisioned
    assert provisioned["ScalingConfig"]["MaximumConcurrency"] == 2


DOMAIN = """
changed, zone = {changed}, {zone!r}
tags = {{"Kept": "yes", "Added": "new"}} if changed else {{"Kept": "no", "Removed": "old"}}
health = aws.route53.HealthCheck(
    "h", type="HTTP", fqdn="127.0.0.1", port=1, resource_path="/new" if changed else "/old",
    request_interval=10, failure_threshold=3 if changed else 2, disabled=False, invert_healthcheck=changed,
    tags=tags,
)
serves = aws.route53.HealthCheck(
    "c", type="CALCULATED", child_healthchecks=[health.id], child_health_threshold=1, disabled=False,
    tags=tags,
)
certificate = aws.acm.Certificate(
    "d", region="us-east-1", domain_name="a.example.test", validation_method="DNS", tags=tags
)
proof = certificate.domain_validation_options[0]
record = aws.route53.Record(
    "v", zone_id=zone, name=proof.resource_record_name, type=proof.resource_record_type, ttl=300,
    records=[proof.resource_record_value], allow_overwrite=True,
)
valid = aws.acm.CertificateValidation(
    "d", region="us-east-1", certificate_arn=certificate.arn, validation_record_fqdns=[record.fqdn]
)
api = aws.apigateway.RestApi(
    "a", region="us-east-1", name="a", endpoint_configuration={{"types": "REGIONAL"}}
)
domain = aws.apigateway.DomainName(
    "d", region="us-east-1", domain_name="a.example.test", regional_certificate_arn=valid.certificate_arn,
    security_policy="TLS_1_2", endpoint_configuration={{"types": "REGIONAL"}}, tags=tags,
)
aws.apigateway.BasePathMapping(
    "d", region="us-east-1", domain_name=domain.domain_name, rest_api=api.id, stage_name="v1"
)
aws.route53.Record(
    "a", zone_id=zone, name="a.example.test", type="CNAME", ttl=20 if changed else 10,
    records=[domain.regional_domain_name], set_identifier="one", health_check_id=serves.id,
    failover_routing_policies=[{{"type": "PRIMARY"}}],
)
pulumi.export("Health", health.id)
pulumi.export("Serves", serves.id)
pulumi.export("Certificate", certificate.arn)
"""


def test_a_domain_is_changed_in_place_and_removed_whole(deployer: Deployer, client: Client) -> None:
    """Health checks, records, the certificate and the custom domain; the zone is not the stack's."""
    route53, gateway = client("route53", HERE), client("apigateway", HERE)
    zone = route53.create_hosted_zone(Name="example.test", CallerReference="test")["HostedZone"]["Id"]
    zone = zone.rpartition("/")[2]
    before = deployer.up(DOMAIN.format(changed=False, zone=zone))
    after = deployer.up(DOMAIN.format(changed=True, zone=zone))
    assert (after.replaced, after.created, after.deleted) == (0, 0, 0)
    assert (after.updated, after.same, after.outputs) == (5, 4, before.outputs)

    config = route53.get_health_check(HealthCheckId=after.outputs["Health"])["HealthCheck"][
        "HealthCheckConfig"
    ]
    assert (config["ResourcePath"], config["FailureThreshold"], config["Inverted"]) == ("/new", 3, True)
    calculated = route53.get_health_check(HealthCheckId=after.outputs["Serves"])["HealthCheck"]
    assert calculated["HealthCheckConfig"]["ChildHealthChecks"] == [after.outputs["Health"]]
    for check in (after.outputs["Health"], after.outputs["Serves"]):
        found = route53.list_tags_for_resource(ResourceType="healthcheck", ResourceId=check)
        assert as_dict(found["ResourceTagSet"]["Tags"]) == KEPT
    records = {
        r["Name"]: r for r in route53.list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
    }
    name = records["a.example.test."]
    assert (name["TTL"], name["Failover"], name["HealthCheckId"]) == (20, "PRIMARY", after.outputs["Serves"])
    (mapping,) = gateway.get_base_path_mappings(domainName="a.example.test")["items"]
    assert (mapping["basePath"], mapping["stage"]) == ("(none)", "v1")
    found = gateway.get_domain_name(domainName="a.example.test")
    assert found["regionalCertificateArn"] == after.outputs["Certificate"]
    tags = client("acm", HERE).list_tags_for_certificate(CertificateArn=after.outputs["Certificate"])
    assert as_dict(tags["Tags"]) == KEPT

    deployer.down()
    assert route53.list_health_checks()["HealthChecks"] == []
    left = route53.list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
    assert {record["Type"] for record in left} == {"SOA", "NS"}
    assert gateway.get_domain_names()["items"] == []
