"""Deployments on the embedded AWS: the real Pulumi SDK, small programs, then the real one."""

import io
import json
import stat
import textwrap
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from emulator.attached_stack import read_outputs
from emulator.pulumi.program import DeployError
from emulator.pulumi.provider.catalogue import CATALOGUE
from emulator.pulumi.state import StateError
from tests.emulator.provider.deployer import Deployer

pytestmark = pytest.mark.emulator

ROOT = Path(__file__).resolve().parents[3]
Client = Callable[..., Any]


TWO_QUEUES = """
dead = aws.sqs.Queue("dead", name="dead", region="us-east-1")
work = aws.sqs.Queue(
    "work", name="work", region="us-east-1", visibility_timeout_seconds=60, tags={"Owner": "us"},
    redrive_policy=pulumi.Output.json_dumps({"deadLetterTargetArn": dead.arn, "maxReceiveCount": 5}),
)
pulumi.export("Url", work.url)
pulumi.export("Token", pulumi.Output.secret("s3cret-token"))
"""
"""Two resources, of which one depends on the other, a plain and a secret output."""


def test_up_creates_what_the_program_registers(deployer: Deployer, client: Client) -> None:
    """With attributes, tags, and the outputs of one resource in the arguments of another."""
    result = deployer.up(TWO_QUEUES)
    assert (result.created, result.same, result.deleted) == (2, 0, 0)
    sqs = client("sqs", "us-east-1")
    attributes = sqs.get_queue_attributes(QueueUrl=result.outputs["Url"], AttributeNames=["All"])[
        "Attributes"
    ]
    assert attributes["VisibilityTimeout"] == "60"
    assert json.loads(attributes["RedrivePolicy"])["deadLetterTargetArn"].endswith(":dead")
    assert sqs.list_queue_tags(QueueUrl=result.outputs["Url"])["Tags"] == {"Owner": "us"}
    assert {step.name for step in deployer.progress} == {"dead", "work"}


def test_a_second_up_changes_nothing(deployer: Deployer) -> None:
    """Same outputs, and a state file that says the same."""
    first = deployer.up(TWO_QUEUES)
    state = deployer.state_path.read_text()
    again = deployer.up()
    assert (again.created, again.updated, again.same) == (0, 0, 2)
    assert again.outputs == first.outputs
    assert deployer.state_path.read_text() == state


def test_up_updates_creates_and_deletes_as_the_program_changes(deployer: Deployer, client: Client) -> None:
    """A changed argument, a new resource, and one that is gone, in one run."""
    deployer.up(TWO_QUEUES)
    result = deployer.up(
        """
        work = aws.sqs.Queue("work", name="work", region="us-east-1", visibility_timeout_seconds=90)
        aws.sqs.Queue("new", name="new", region="us-west-2")
        pulumi.export("Url", work.url)
        """
    )
    assert (result.created, result.updated, result.deleted) == (1, 1, 1)
    sqs = client("sqs", "us-east-1")
    attributes = sqs.get_queue_attributes(QueueUrl=result.outputs["Url"], AttributeNames=["All"])[
        "Attributes"
    ]
    assert attributes["VisibilityTimeout"] == "90"
    assert "RedrivePolicy" not in attributes
    assert sqs.list_queue_tags(QueueUrl=result.outputs["Url"]).get("Tags", {}) == {}
    assert [url.rsplit("/", 1)[1] for url in sqs.list_queues()["QueueUrls"]] == ["work"]
    assert "Token" not in read_outputs(
        stack="local", state_path=deployer.state_path, instance_id=deployer.emulator.instance_id
    )


def test_secrets_reach_the_caller_and_no_file(deployer: Deployer) -> None:
    """A secret argument, a secret output and a generated API key; the file is its owner's alone."""
    program = TWO_QUEUES + textwrap.dedent(
        """
        key = aws.apigateway.ApiKey("key", name="key", region="us-east-1")
        aws.sqs.Queue("tagged", name="tagged", region="us-east-1",
                      tags={"Note": pulumi.Output.secret("s3cret-tag")})
        pulumi.export("Key", key.value)
        """
    )
    for _ in range(2):
        result = deployer.up(program)
        assert result.outputs["Token"] == "s3cret-token"
        assert len(result.outputs["Key"]) >= 20
        written = "".join(path.read_text() for path in deployer.folder.glob("*") if path.is_file())
        assert "s3cret" not in written
        assert result.outputs["Key"] not in written
        assert "s3cret" not in repr(result)
    assert stat.S_IMODE(deployer.state_path.stat().st_mode) == 0o600
    assert set(
        read_outputs(stack="local", state_path=deployer.state_path, instance_id=deployer.emulator.instance_id)
    ) == {"Url"}


QUEUE = 'aws.sqs.Queue("q", name="q", region="us-east-1"'

REFUSED = {
    "type": ('aws.sfn.Activity("a", region="us-east-1")', "aws:sfn/activity:Activity"),
    "argument": (f"{QUEUE}, delay_seconds=5)", "aws:sqs/queue:Queue 'q': argument 'delaySeconds'"),
    "function": ("aws.get_partition()", "aws:index/getPartition:getPartition"),
    "hook": (
        (
            f"{QUEUE}, opts=pulumi.ResourceOptions(hooks=pulumi.ResourceHookBinding(after_create=["
            'pulumi.ResourceHook("h", print)])))'
        ),
        "hook 'h' would not be run",
    ),
    "read": ('aws.sqs.Queue.get("q", "http://q")', "reading a resource of others"),
    "option": (f"{QUEUE}, opts=pulumi.ResourceOptions(import_='q'))", "importId"),
    "component option": (
        'pulumi.ComponentResource("us:Thing", "t", opts=pulumi.ResourceOptions(transforms=[lambda _: None]))',
        "us:Thing 't': resource option transforms",
    ),
    "duplicate": (f"{QUEUE})\n{QUEUE})", "registered twice"),
    "forgotten output": (
        f'aws.sns.Topic("t", region="us-east-1", name=pulumi.Output.concat("of-", {QUEUE}).policy))',
        "aws:sqs/queue:Queue.policy",
    ),
    "forgotten stack output": (f'pulumi.export("Policy", {QUEUE}).policy)', "stack output 'Policy'"),
    "exception": ("raise ValueError('planted')", "the program failed: ValueError: planted"),
    "run error": ("raise pulumi.RunError('planted')", "planted"),
    "no region": ('aws.sqs.Queue("q", name="q")', "argument 'region' has no value"),
}


@pytest.mark.parametrize(("program", "said"), REFUSED.values(), ids=REFUSED.keys())
def test_what_the_provider_cannot_carry_out_fails_the_run(
    deployer: Deployer, program: str, said: str
) -> None:
    """Planted one at a time: each ends the run with one line that names it."""
    with pytest.raises(DeployError) as failed:
        deployer.up(program)
    assert [said in problem for problem in failed.value.problems] == [True]


def test_a_failed_up_forgets_nothing_and_the_next_one_finishes(deployer: Deployer, client: Client) -> None:
    """AWS refuses one resource; what was made before it is known, and is not made twice."""
    bad = TWO_QUEUES.replace("visibility_timeout_seconds=60", "visibility_timeout_seconds=99_999_999")
    with pytest.raises(DeployError) as failed:
        deployer.up(bad)
    assert ["aws:sqs/queue:Queue 'work'" in problem for problem in failed.value.problems] == [True]
    assert len(client("sqs", "us-east-1").list_queues()["QueueUrls"]) == 1
    result = deployer.up(TWO_QUEUES)
    assert (result.created, result.same) == (1, 1)


def test_a_failed_up_prunes_nothing(deployer: Deployer, client: Client) -> None:
    """What the program did not come to register is not taken for gone."""
    deployer.up(TWO_QUEUES)
    with pytest.raises(DeployError):
        deployer.up("raise ValueError('before anything is registered')")
    assert len(client("sqs", "us-east-1").list_queues()["QueueUrls"]) == 2
    assert deployer.up(TWO_QUEUES).same == 2


def test_a_wrong_configuration_is_told_line_by_line(deployer: Deployer) -> None:
    """The real program, every problem at once, and nothing is made."""
    deployer.project_dir = deployer.folder / "wrong"
    deployer.project_dir.mkdir()
    (deployer.project_dir / "Pulumi.yaml").write_text((ROOT / "Pulumi.yaml").read_text())
    (deployer.project_dir / "Pulumi.local.yaml").write_text(
        "config: {planted: 1, primaryRegion: us-east-1, failoverRegion: us-east-1, leaseS: never}"
    )
    (deployer.project_dir / "__main__.py").write_text((ROOT / "__main__.py").read_text())
    with pytest.raises(DeployError) as failed:
        deployer.up()
    for key in ("planted", "failoverRegion", "leaseS"):
        assert any(problem.startswith(f"{key}:") for problem in failed.value.problems), key
    assert deployer.progress == []


def test_the_state_of_an_emulator_that_is_gone_is_discarded(deployer: Deployer, client: Client) -> None:
    """Its resources went with it: all are made again, and the caller is told how many."""
    deployer.up(TWO_QUEUES)
    for url in client("sqs", "us-east-1").list_queues()["QueueUrls"]:
        client("sqs", "us-east-1").delete_queue(QueueUrl=url)
    result = deployer.up(instance_id="another")
    assert (result.discarded, result.created) == (2, 2)
    deployer.down(instance_id="another")


def test_another_stacks_state_is_refused(deployer: Deployer) -> None:
    """Its resources would be deleted as gone from the program."""
    deployer.up(TWO_QUEUES)
    (deployer.project_dir / "Pulumi.dev.yaml").write_text("config: {}")
    with pytest.raises(StateError, match="stack 'local'"):
        deployer.up(stack="dev")


def test_a_stash_keeps_its_first_value(deployer: Deployer) -> None:
    """As the engine's own does, until the stack is taken down."""
    program = 'pulumi.export("Kept", pulumi.Stash("s", input={"says": "first"}).output)'
    assert deployer.up(program).outputs["Kept"] == {"says": "first"}
    second = deployer.up(program.replace("first", "second"))
    assert (second.updated, second.outputs["Kept"]) == (1, {"says": "first"})
    deployer.down()
    assert deployer.up().outputs["Kept"] == {"says": "second"}


def test_down_deletes_everything_and_the_state(deployer: Deployer, client: Client) -> None:
    """A later `down` has nothing to do."""
    deployer.up(TWO_QUEUES)
    assert deployer.down().deleted == 2
    assert not client("sqs", "us-east-1").list_queues().get("QueueUrls")
    assert not deployer.state_path.exists()
    assert deployer.down().deleted == 0


FUNCTION = """
role = aws.iam.Role("r", name="r", assume_role_policy="{{}}")
f = aws.lambda_.Function("f", name="f", region="us-east-1", role=role.arn, runtime="python3.13",
                         handler="main.handler", timeout=10, publish=True,
                         environment={{"variables": {{"SAYS": {says!r}}}}},
                         code=pulumi.FileArchive({archive!r}))
live = aws.lambda_.Alias("live", name="live", region="us-east-1", function_name=f.name,
                         function_version=f.version)
pulumi.export("Alias", live.arn)
"""


def write_package(path: Path, answer: str) -> None:
    """A package whose function answers `answer` and what its environment says."""
    body = f"import os\n\ndef handler(event, context):\n    return [{answer!r}, os.environ['SAYS']]\n"
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as package:
        package.writestr(zipfile.ZipInfo("main.py"), body)
    path.write_bytes(content.getvalue())


def test_new_code_and_environment_are_live_at_the_alias(deployer: Deployer, client: Client) -> None:
    """A change publishes a version, and the alias that every trigger invokes moves to it."""
    archive = deployer.folder / "package.zip"
    write_package(archive, "old")
    alias = deployer.up(FUNCTION.format(says="one", archive=str(archive))).outputs["Alias"]

    def answer() -> Any:
        invoked = client("lambda", "us-east-1").invoke(FunctionName=alias)
        return json.loads(invoked["Payload"].read())

    assert answer() == ["old", "one"]
    write_package(archive, "new")
    assert deployer.up().updated == 2
    assert answer() == ["new", "one"]
    assert deployer.up(FUNCTION.format(says="two", archive=str(archive))).updated == 2
    assert answer() == ["new", "two"]


API = """
api = aws.apigateway.RestApi("api", name="api", region="us-east-1",
                             endpoint_configuration={{"types": "REGIONAL"}})
where = dict(region="us-east-1", rest_api=api.id)
path = aws.apigateway.Resource("p", parent_id=api.root_resource_id, path_part="p", **where)
method = aws.apigateway.Method("m", resource_id=path.id, http_method="GET", authorization="NONE",
                               api_key_required={key_required}, **where)
hello = aws.apigateway.Integration("i", resource_id=path.id, http_method=method.http_method,
                                   type="HTTP_PROXY", integration_http_method="GET",
                                   uri="http://127.0.0.1:1/", **where)
refusal = aws.apigateway.Response("e", region="us-east-1", rest_api_id=api.id,
                                  response_type="INVALID_API_KEY", status_code="418",
                                  response_templates={{"application/json": {template!r}}})
deployment = aws.apigateway.Deployment("d", triggers={{"t": {template!r}}}, **where,
                                       opts=pulumi.ResourceOptions(depends_on=[hello, refusal]))
stage = aws.apigateway.Stage("s", deployment=deployment.id, stage_name="v1", **where)
pulumi.export("Url", pulumi.Output.concat(stage.invoke_url, "/p"))
"""


def test_a_changed_api_is_deployed_to_its_stage_again(deployer: Deployer, client: Client) -> None:
    """Another trigger takes a new deployment, the stage moves to it, and only then the old one goes."""
    first = deployer.up(API.format(key_required=True, template='{"said": "one"}'))
    refused = requests.get(first.outputs["Url"], timeout=60)
    assert (refused.status_code, refused.json()) == (418, {"said": "one"})
    again = deployer.up(API.format(key_required=True, template='{"said": "two"}'))
    assert (again.replaced, again.updated, again.deleted) == (1, 2, 1)
    assert requests.get(again.outputs["Url"], timeout=60).json() == {"said": "two"}
    [api] = client("apigateway", "us-east-1").get_rest_apis()["items"]
    deployments = client("apigateway", "us-east-1").get_deployments(restApiId=api["id"])["items"]
    assert len(deployments) == 1


def test_a_changed_method_keeps_its_integration(deployer: Deployer, client: Client) -> None:
    """The emulator's own `put_method` would drop it."""
    deployer.up(API.format(key_required=True, template="{}"))
    changed = deployer.up(API.format(key_required=False, template="{}"))
    assert changed.updated == 1
    gateway = client("apigateway", "us-east-1")
    [api] = gateway.get_rest_apis()["items"]
    [path] = [r for r in gateway.get_resources(restApiId=api["id"])["items"] if r["path"] == "/p"]
    method = gateway.get_method(restApiId=api["id"], resourceId=path["id"], httpMethod="GET")
    assert method["apiKeyRequired"] is False
    assert method["methodIntegration"]["uri"] == "http://127.0.0.1:1/"


def everything(client: Client, regions: tuple[str, ...]) -> dict[str, list[Any]]:
    """What is left of the kinds of things that the real program makes.

    Not log groups: an invocation under way makes its own again.
    """
    left: dict[str, list[Any]] = {
        "roles": client("iam", regions[0]).list_roles()["Roles"],
        "buckets": client("s3", regions[0]).list_buckets()["Buckets"],
    }
    for region in regions:
        left[f"{region} tables"] = client("dynamodb", region).list_tables()["TableNames"]
        left[f"{region} secrets"] = client("secretsmanager", region).list_secrets()["SecretList"]
        left[f"{region} queues"] = client("sqs", region).list_queues().get("QueueUrls", [])
        left[f"{region} functions"] = client("lambda", region).list_functions()["Functions"]
        left[f"{region} mappings"] = client("lambda", region).list_event_source_mappings()[
            "EventSourceMappings"
        ]
        left[f"{region} alarms"] = client("cloudwatch", region).describe_alarms()["MetricAlarms"]
        left[f"{region} topics"] = client("sns", region).list_topics()["Topics"]
        left[f"{region} schedules"] = client("scheduler", region).list_schedules()["Schedules"]
        left[f"{region} machines"] = client("stepfunctions", region).list_state_machines()["stateMachines"]
        backup = client("backup", region)
        left[f"{region} vaults"] = backup.list_backup_vaults()["BackupVaultList"]
        left[f"{region} backup plans"] = backup.list_backup_plans()["BackupPlansList"]
        left[f"{region} restore tests"] = backup.list_restore_testing_plans()["RestoreTestingPlans"]
        gateway = client("apigateway", region)
        left[f"{region} apis"] = gateway.get_rest_apis()["items"]
        left[f"{region} keys"] = gateway.get_api_keys()["items"]
        left[f"{region} plans"] = gateway.get_usage_plans()["items"]
    return left


def test_the_real_program_comes_up_twice_and_goes(deployer: Deployer, client: Client) -> None:
    """Both regions, nothing to do the second time, and nothing left after `down` (keys of KMS wait to go)."""
    deployer.project_dir = ROOT
    first = deployer.up()
    assert first.created > 100
    health = [requests.get(first.outputs[key], timeout=60) for key in ("HealthUrl", "FailoverHealthUrl")]
    assert [(answer.status_code, answer.json()["region"]) for answer in health] == [
        (200, "us-east-1"),
        (200, "us-west-2"),
    ]
    table = client("dynamodb", "us-west-2").describe_table(TableName=first.outputs["AlertsTableName"])[
        "Table"
    ]
    assert {index["IndexName"] for index in table["GlobalSecondaryIndexes"]} == {
        "timestamp-index",
        "open-index",
        "children-index",
        "incident-index",
        "fault-index",
    }
    again = deployer.up()
    assert (again.created, again.updated, again.replaced, again.deleted) == (0, 0, 0, 0)
    assert again.same == first.created
    assert again.outputs == first.outputs
    resources = json.loads(deployer.state_path.read_text())["resources"]
    unnamed = {
        urn: record["id"]
        for urn, record in resources.items()
        if not CATALOGUE[record["type"]].identity
        and any(isinstance(v, str) and len(v) > 2 and v in record["id"] for v in record["inputs"].values())
    }
    assert unnamed == {}, "an id that is made of arguments: name them in the handler's `identity`"
    with pytest.raises(DeployError, match="the ledger of a deployed stack cannot move"):
        deployer.up(config={"primaryRegion": "us-west-2", "failoverRegion": "us-east-1"})
    written = deployer.state_path.read_text()
    assert set(json.loads(written)["resources"]) == set(resources)
    assert first.outputs["ApiKey"] not in written
    assert first.outputs["FailoverApiKey"] not in written
    assert deployer.down().deleted == first.created
    left = everything(client, deployer.emulator.regions)
    assert {kind: found for kind, found in left.items() if found} == {}
