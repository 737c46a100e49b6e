"""The program as a whole, for every stack file: what is registered, where, under which names and tags."""

import json
from collections.abc import Callable
from pathlib import Path

import pulumi
import pytest
from pulumi.runtime import rpc

from lambda_packages.build import PackageError
from tests.components.answers import Cloud
from tests.components.recorder import EVERY_OPTION, Registered, Run, run_program, stack_file, stand_ins
from topology import outputs
from topology.names import API_STAGE, STACKS, Names

RUNBOOK_NAMES = {
    "dynamodb/table:Table": {
        "mcp-incident-responder-prod-alerts",
        "mcp-incident-responder-prod-analysis-cache",
        "mcp-incident-responder-prod-coordination",
    },
    "lambda/function:Function": {
        "mcp-incident-responder-prod-AlertReceptionFunction",
        "mcp-incident-responder-prod-AnalysisFunction",
        "mcp-incident-responder-prod-DistributionFunction",
        "mcp-incident-responder-prod-RecoveryFunction",
    },
    "cloudwatch/logGroup:LogGroup": {
        "/aws/lambda/mcp-incident-responder-prod-AlertReceptionFunction",
        "/aws/lambda/mcp-incident-responder-prod-AnalysisFunction",
        "/aws/lambda/mcp-incident-responder-prod-DistributionFunction",
        "/aws/lambda/mcp-incident-responder-prod-RecoveryFunction",
    },
    "sqs/queue:Queue": {
        "mcp-incident-responder-prod-processing",
        "mcp-incident-responder-prod-processing-critical",
        "mcp-incident-responder-prod-processing-dlq",
        "mcp-incident-responder-prod-distribution",
        "mcp-incident-responder-prod-distribution-critical",
        "mcp-incident-responder-prod-distribution-dlq",
    },
    "secretsmanager/secret:Secret": {"mcp-responder/slack-webhook", "mcp-responder/anthropic-key"},
    "sns/topic:Topic": {"mcp-incident-responder-prod-alarms", "mcp-incident-responder-prod-escalation"},
    "cloudwatch/metricAlarm:MetricAlarm": {
        "mcp-incident-responder-prod-parked-alerts",
        "mcp-incident-responder-prod-recovery-silent",
        "mcp-incident-responder-prod-refusals",
        "mcp-incident-responder-prod-unusable-routes",
        "mcp-incident-responder-prod-AlertReceptionFunction-errors",
        "mcp-incident-responder-prod-AnalysisFunction-errors",
        "mcp-incident-responder-prod-DistributionFunction-errors",
        "mcp-incident-responder-prod-processing-dlq-messages",
        "mcp-incident-responder-prod-distribution-dlq-messages",
        "mcp-incident-responder-prod-full-export-age",
        "mcp-incident-responder-prod-incremental-export-age",
        "mcp-incident-responder-prod-daily-copies-age",
        "mcp-incident-responder-prod-backup-jobs-missed",
        "mcp-incident-responder-prod-copy-jobs-missed",
    },
    "scheduler/schedule:Schedule": {
        "mcp-incident-responder-prod-recovery",
        "mcp-incident-responder-prod-full-export",
        "mcp-incident-responder-prod-full-export-watch",
        "mcp-incident-responder-prod-incremental-export",
        "mcp-incident-responder-prod-daily-copies",
    },
    "sfn/stateMachine:StateMachine": {
        "mcp-incident-responder-prod-full-export-watch",
        "mcp-incident-responder-prod-incremental-export",
        "mcp-incident-responder-prod-daily-copies",
    },
    "backup/vault:Vault": {"mcp-incident-responder-prod-backups"},
    "backup/plan:Plan": {"mcp-incident-responder-prod-backups"},
    "apigateway/restApi:RestApi": {"mcp-incident-responder-prod-api"},
    "apigateway/usagePlan:UsagePlan": {"mcp-incident-responder-prod-sources"},
    "apigateway/apiKey:ApiKey": {"mcp-incident-responder-prod-sources"},
}
GLOBAL_TYPES = ("aws:iam/role:Role", "aws:iam/rolePolicy:RolePolicy")
"""IAM has no regions."""

UNTAGGED_TYPES = {
    "aws:apigateway/deployment:Deployment",
    "aws:apigateway/integration:Integration",
    "aws:apigateway/method:Method",
    "aws:apigateway/methodSettings:MethodSettings",
    "aws:apigateway/resource:Resource",
    "aws:apigateway/response:Response",
    "aws:apigateway/usagePlanKey:UsagePlanKey",
    "aws:backup/restoreTestingSelection:RestoreTestingSelection",
    "aws:backup/selection:Selection",
    "aws:backup/vaultLockConfiguration:VaultLockConfiguration",
    "aws:cloudwatch/dashboard:Dashboard",
    "aws:iam/rolePolicy:RolePolicy",
    "aws:lambda/alias:Alias",
    "aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig",
    "aws:lambda/permission:Permission",
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
    "aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration",
    "aws:s3/bucketObjectv2:BucketObjectv2",
    "aws:s3/bucketPolicy:BucketPolicy",
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
    "aws:s3/bucketReplicationConfig:BucketReplicationConfig",
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
    "aws:s3/bucketVersioning:BucketVersioning",
    "aws:scheduler/schedule:Schedule",
    "aws:sns/topicPolicy:TopicPolicy",
    "aws:sns/topicSubscription:TopicSubscription",
    "aws:sqs/redriveAllowPolicy:RedriveAllowPolicy",
}
"""What AWS gives no tags to, only by its group (a schedule), or each with a charge (an object)."""


def _custom(run: Run) -> list[Registered]:
    """What AWS has to make; what Pulumi keeps for itself has neither region nor tags."""
    return [resource for resource in run.resources if resource.custom and resource.type.startswith("aws:")]


def test_outputs_are_exactly_those_that_scripts_are_promised(run: Run) -> None:
    """A missing output breaks a script; one too many is a name that nobody has agreed on."""
    assert run.outputs.keys() == outputs.ALL - set(outputs.OPTIONAL)
    assert all(run.outputs.values())


def test_urls_end_in_stage_and_path_and_name_their_region(run: Run) -> None:
    """Sources are configured with these addresses as they are."""
    for role, region in (("primary", "us-east-1"), ("failover", "us-west-2")):
        for key, path in (("WebhookUrl", "alerts"), ("HealthUrl", "health")):
            url = run.outputs[outputs.output_key(key, role)]
            assert url.endswith(f".{region}.amazonaws.com/{API_STAGE}/{path}")


def test_api_keys_are_secret_outputs_and_differ_between_regions(run: Run) -> None:
    """The same value in two regions is refused in one; a plain one would be readable in the state."""
    keys = [run.outputs[key] for key in ("ApiKey", "FailoverApiKey")]
    assert all(rpc.is_rpc_secret(key) for key in keys)
    assert rpc.unwrap_rpc_secret(keys[0]) != rpc.unwrap_rpc_secret(keys[1])
    assert not any("value" in key.inputs for key in run.of("apigateway/apiKey:ApiKey"))


def test_no_urn_is_registered_twice(run: Run) -> None:
    """Pulumi would refuse the second; the mock monitor would hide it."""
    assert run.repeated_urns() == []


def test_every_regional_resource_names_a_region_of_the_stack(run: Run) -> None:
    """One without it would land in the provider's default region."""
    stack_regions = {run.outputs["PrimaryRegion"], run.outputs["FailoverRegion"]}
    for resource in _custom(run):
        if resource.type in GLOBAL_TYPES:
            assert "region" not in resource.inputs
        else:
            assert resource.inputs["region"] in stack_regions, resource.urn


def test_both_regions_hold_the_same_things(run: Run) -> None:
    """The failover region is always on: it lacks nothing that the primary has but what both of them share."""
    held = {
        region: sorted(
            (r.type, r.name.removeprefix(region))
            for r in _custom(run)
            if r.inputs.get("region") == region and "incident:global:" not in r.urn
        )
        for region in ("us-east-1", "us-west-2")
    }
    assert held["us-east-1"] == held["us-west-2"]
    assert len(held["us-east-1"]) > 50


def test_every_child_has_a_component_for_parent_in_its_own_region(run: Run) -> None:
    """A child of the stack itself would not be deleted, moved or shown with its component."""
    components = {r.urn: r for r in run.resources if not r.custom}
    for resource in _custom(run):
        assert resource.parent in components, resource.urn
        if "region" in resource.inputs and not components[resource.parent].type.startswith(
            "incident:global:"
        ):
            assert components[resource.parent].name.startswith(resource.inputs["region"])
            assert resource.name.startswith(resource.inputs["region"])


def test_everything_that_takes_tags_has_all_four(run: Run) -> None:
    """Cost reports and clean-up scripts go by them."""
    for resource in _custom(run):
        if resource.type in UNTAGGED_TYPES:
            assert "tags" not in resource.inputs
        else:
            assert resource.inputs["tags"] == {
                "Project": "mcp-incident-responder",
                "Stack": run.outputs["Stack"],
                "Owner": "incident-response",
                "ManagedBy": "pulumi",
            }, resource.urn


def test_production_has_the_names_of_the_runbook(run_of: Callable[[str], Run]) -> None:
    """People's scripts use them."""
    run = run_of("prod")
    for type_, names in RUNBOOK_NAMES.items():
        assert {resource.inputs["name"] for resource in run.of(type_)} == names


@pytest.mark.parametrize("stack", sorted(set(STACKS) - {"prod"}))
def test_other_stacks_have_the_same_names_with_their_own_stack(
    stack: str, run_of: Callable[[str], Run]
) -> None:
    """Two stacks can live in one account."""
    run = run_of(stack)
    for type_, names in RUNBOOK_NAMES.items():
        expected = {
            name.replace("-prod", f"-{stack}").replace("mcp-responder/", f"mcp-responder-{stack}/")
            for name in names
        }
        if type_ == "cloudwatch/logGroup:LogGroup" and stack == "local":
            expected.add("/aws/apigateway/mcp-incident-responder-local-api")
        assert {resource.inputs["name"] for resource in run.of(type_)} == expected


def test_roles_are_named_by_function_and_region(run: Run) -> None:
    """IAM is global: without the region the second one would collide. 64 characters are IAM's limit."""
    stack = run.outputs["Stack"]
    workers = ("reception", "analysis", "distribution", "recovery", "schedule")
    makers = ("backup-schedules", "full-export-watch", "incremental-export", "daily-copies", "restore")
    expected = {
        f"mir-{stack}-{worker}-{region}"
        for worker in (*workers, *makers)
        for region in ("us-east-1", "us-west-2")
    } | {
        f"mir-{stack}-replication-us-east-1",
        f"mir-{stack}-backup-us-east-1",
        f"mir-{stack}-restore-testing-us-west-2",
    }
    assert {role.inputs["name"] for role in run.of("iam/role:Role")} == expected
    assert len(Names("staging").service_role("restore-testing", "ap-southeast-1")) <= 64


def test_no_secret_is_an_input_of_any_resource(run: Run) -> None:
    """Inputs are kept in the state; operators put the values of secrets themselves."""
    for resource in run.resources:
        text = json.dumps(resource.inputs, default=str)
        assert rpc._special_sig_key not in text  # noqa: SLF001 - how a secret is marked on the wire
        assert not any(mark in text for mark in ("sk-ant-", "services/T", "secretString", "generated-for"))


def test_a_bad_configuration_names_every_problem_and_registers_nothing(tmp_path: Path) -> None:
    """All problems at once, each with the key, the value and what is allowed."""
    config = stack_file("prod") | {
        "mcp-incident-responder:failoverRegion": "us-east-1",
        "mcp-incident-responder:analysisMemoryMb": "64",
        "mcp-incident-responder:logRetentionDays": "31",
        "mcp-incident-responder:leaseSeconds": "8",
    }
    run = run_program("prod", config, stand_ins(tmp_path))
    assert isinstance(run.error, pulumi.RunError)
    for said in (
        "failoverRegion: 'us-east-1' is primaryRegion too",
        "analysisMemoryMb: '64' is not allowed; allowed: 128 to 10240 MB",
        "logRetentionDays: '31' is not allowed; allowed: one of 1, 3, 5",
        "leaseSeconds: unknown key; allowed:",
        "witnessRegion: 'us-east-2' does not make three regions",
    ):
        assert said in str(run.error)
    assert run.resources == []
    assert list(tmp_path.iterdir()) == []


def test_keys_of_other_namespaces_are_left_to_their_owners(optioned: Run) -> None:
    """`aws:region` configures the provider, not the project."""
    assert "aws:maxRetries" in EVERY_OPTION
    assert optioned.error is None


def test_an_unknown_stack_registers_nothing(tmp_path: Path) -> None:
    """A typing error must not make a fifth stack."""
    run = run_program("produ", stack_file("prod"), stand_ins(tmp_path))
    assert "stack: 'produ' is not known; allowed: dev, staging, prod, local" in str(run.error)
    assert run.resources == []


def test_a_package_that_cannot_be_built_registers_no_part_of_the_stack() -> None:
    """Half a deployment without code would be worse than none."""

    def build(_target: object) -> dict[object, Path]:
        raise PackageError("uv is needed and was not found: run `make setup`")

    run = run_program("dev", stack_file("dev"), build)  # type: ignore[arg-type]  # it returns nothing
    assert isinstance(run.error, pulumi.RunError)
    assert "run `make setup`" in str(run.error)
    assert [resource.type for resource in run.resources] == ["pulumi:index:Stash"]


def test_packages_are_built_for_what_the_stack_runs_on(run_of: Callable[[str], Run]) -> None:
    """The embedded AWS runs functions on its own Python; Lambda runs arm64."""
    on_lambda, here = (run_of(stack).target for stack in ("prod", "local"))
    assert on_lambda is not None
    assert here is not None
    assert on_lambda.python == "3.13"
    assert here.platform is None


@pytest.mark.parametrize("stack", [*STACKS, "every option"])
def test_a_preview_shows_what_an_up_will_make(
    stack: str, run_of: Callable[[str], Run], optioned: Run, tmp_path: Path
) -> None:
    """With every output unknown that AWS has yet to give: the same resources, protected and secret alike."""
    deployed = optioned if stack == "every option" else run_of(stack)
    name = deployed.outputs["Stack"]
    config = stack_file(name) | (EVERY_OPTION if stack == "every option" else {})
    preview = run_program(name, config, stand_ins(tmp_path), Cloud(preview=True))
    assert preview.error is None
    assert _shown(preview) == _shown(deployed)
    assert preview.outputs.keys() == deployed.outputs.keys()
    assert isinstance(preview.outputs["WebhookUrl"], pulumi.output.Unknown)


def _shown(run: Run) -> dict[str, tuple[object, ...]]:
    return {r.urn: (r.protect, r.secret_outputs, r.inputs.keys()) for r in run.resources}


@pytest.mark.parametrize(("stack", "kept"), [("dev", True), ("local", False)])
def test_a_deployment_leaves_here_where_its_stack_is(stack: str, kept: bool, tmp_path: Path) -> None:  # noqa: FBT001 - a case
    """As the backup bucket has it, without a secret; the local stack has a run folder that tells."""
    folder = tmp_path / "stacks"
    run = run_program(stack, stack_file(stack), stand_ins(tmp_path), keep_in=folder)
    assert run.error is None
    assert folder.exists() == kept
    if kept:
        text = (folder / f"{stack}.json").read_text()
        in_bucket = {r.inputs.get("content") for r in run.of("s3/bucketObjectv2:BucketObjectv2")} - {None}
        assert in_bucket == {text}
        found = json.loads(text)["outputs"]
        assert found.keys() == run.outputs.keys() - outputs.SECRET
        assert found["PrimaryRegion"] == run.outputs["PrimaryRegion"]


def test_a_preview_leaves_nothing_and_a_full_disk_fails_no_deployment(tmp_path: Path) -> None:
    """What is not there yet cannot be found; what is there can be found in its bucket."""
    preview = Cloud(preview=True)
    assert (
        run_program("dev", stack_file("dev"), stand_ins(tmp_path), preview, keep_in=tmp_path / "s").error
        is None
    )
    assert not (tmp_path / "s").exists()
    (tmp_path / "file").touch()
    unwritable = tmp_path / "file" / "stacks"
    assert run_program("dev", stack_file("dev"), stand_ins(tmp_path), keep_in=unwritable).error is None
