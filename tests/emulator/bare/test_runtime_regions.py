"""What killing, freezing, cutting and starting a region really does, seen by callers and by its functions."""

import base64
import io
import json
import sysconfig
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any

import psutil
import pytest
import urllib3
from botocore.exceptions import BotoCoreError, ClientError
from urllib3.exceptions import HTTPError, ReadTimeoutError

from emulator.client import Emulator
from emulator.errors import RefusedError

pytestmark = pytest.mark.emulator

PRIMARY, FAILOVER = "us-east-1", "us-west-2"
TABLE = "runtime"
GONE = r"reset|closed|aborted|refused"
ACCOUNT = "000000000000"

FUNCTION = '''
import importlib.util, json, os, pathlib, time, urllib.error, urllib.request

def handler(event, context):
    asked = json.loads(event["Records"][0]["body"] if "Records" in event else event.get("body") or "{}")
    return {"statusCode": 200, "body": json.dumps(globals()[asked.get("do", "store")](asked, context))}

def store(asked, context):
    import boto3
    from botocore.config import Config
    once = Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=15)
    table = boto3.client("dynamodb", config=once)
    row = {"id": {"S": asked["id"]}, "by": {"S": os.environ["AWS_REGION"]}}
    table.put_item(TableName="runtime", Item=row)
    return {"stored": asked["id"]}

def store_when_told(asked, context):
    """Say by a file that it has begun, wait for another one, and say by a third how storing went."""
    folder = pathlib.Path(asked["folder"])
    (folder / "begun").touch()
    deadline = time.monotonic() + 40
    while not (folder / "go").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    try:
        store(asked, context)
        outcome = "stored"
    except Exception as error:
        outcome = type(error).__name__
    (folder / "outcome.tmp").write_text(outcome)
    (folder / "outcome.tmp").rename(folder / "outcome")

def environment(asked, context):
    return dict(os.environ)

def find(asked, context):
    return {"found": importlib.util.find_spec(asked["module"]) is not None}

def get(asked, context):
    try:
        with urllib.request.urlopen(asked["url"], timeout=30) as answer:
            return {"status": answer.status}
    except urllib.error.HTTPError as error:
        return {"status": error.code, "text": error.read().decode()}

def slack(asked, context):
    from slack_sdk.webhook import WebhookClient
    answer = WebhookClient(asked["url"]).send(text="hello", blocks=[
        {"type": "section", "block_id": "alert:" + asked["id"], "text": {"type": "mrkdwn", "text": "hello"}}])
    return {"status": answer.status_code, "text": answer.body}

def claude(asked, context):
    import anthropic
    message = anthropic.Anthropic(api_key=asked["api_key"]).messages.create(
        model="claude-haiku-4-5", max_tokens=100, messages=[{"role": "user", "content": "title: disk full"}])
    return {"text": message.content[0].text}
'''


@dataclass(frozen=True)
class Deployed:
    """A function with a webhook and a queue in each region, over one global table."""

    urls: dict[str, str]
    keys: dict[str, str]
    queues: dict[str, str]

    def post(self, region: str, *, timeout_s: float = 60.0, **asked: Any) -> Any:
        """Post to a region's webhook and return the JSON that it answers."""
        answer = self.send(region, self.keys[region], timeout_s=timeout_s, **asked)
        assert answer.status == HTTPStatus.OK, answer.data
        return answer.json()

    def send(self, region: str, key: str, *, timeout_s: float = 60.0, **asked: Any) -> Any:
        """Post to a region's webhook with any key and return the answer."""
        return urllib3.request(
            "POST",
            self.urls[region],
            json=asked,
            headers={"x-api-key": key},
            timeout=timeout_s,
            retries=False,
        )


@pytest.fixture(scope="module")
def deployed(emulator: Emulator, client: Callable[..., Any]) -> Deployed:
    """The smallest thing that uses every path: webhook, function, queue, table, way out."""
    table = client("dynamodb", PRIMARY)
    table.create_table(
        TableName=TABLE,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )
    table.update_table(TableName=TABLE, ReplicaUpdates=[{"Create": {"RegionName": FAILOVER}}])
    made = {region: deploy(client, emulator, region) for region in emulator.regions}
    emulator.checkpoint()
    return Deployed(
        urls={region: url for region, (url, _, _) in made.items()},
        keys={region: key for region, (_, key, _) in made.items()},
        queues={region: queue for region, (_, _, queue) in made.items()},
    )


def deploy(client: Callable[..., Any], emulator: Emulator, region: str) -> tuple[str, str, str]:
    """Make the function, its queue and its webhook; return the webhook's URL, its key and the queue's URL."""
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("fn.py", FUNCTION)
    client("logs", region).create_log_group(logGroupName="/aws/lambda/f")
    functions = client("lambda", region)
    arn = functions.create_function(
        FunctionName="f",
        Runtime="python3.13",
        Role=f"arn:aws:iam::{ACCOUNT}:role/f",
        Handler="fn.handler",
        Code={"ZipFile": package.getvalue()},
        Timeout=60,
        # The package brings no libraries, so it borrows those of this project.
        Environment={"Variables": {"PYTHONPATH": sysconfig.get_path("purelib")}},
    )["FunctionArn"]
    functions.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=4)
    functions.create_function(
        FunctionName="bare",
        Runtime="python3.13",
        Role=f"arn:aws:iam::{ACCOUNT}:role/f",
        Handler="fn.handler",
        Code={"ZipFile": package.getvalue()},
    )
    queue = client("sqs", region).create_queue(QueueName="q", Attributes={"VisibilityTimeout": "1"})[
        "QueueUrl"
    ]
    functions.create_event_source_mapping(
        EventSourceArn=f"arn:aws:sqs:{region}:{ACCOUNT}:q", FunctionName=arn, BatchSize=1
    )
    api = client("apigateway", region)
    api_id = api.create_rest_api(name="api")["id"]
    root = api.get_resources(restApiId=api_id)["items"][0]["id"]
    resource = api.create_resource(restApiId=api_id, parentId=root, pathPart="alerts")["id"]
    place = {"restApiId": api_id, "resourceId": resource, "httpMethod": "POST"}
    api.put_method(**place, authorizationType="NONE", apiKeyRequired=True)
    invocation = f"arn:aws:apigateway:{region}:lambda:path/2015-03-31/functions/{arn}/invocations"
    api.put_integration(**place, type="AWS_PROXY", integrationHttpMethod="POST", uri=invocation)
    api.create_stage(
        restApiId=api_id, stageName="v1", deploymentId=api.create_deployment(restApiId=api_id)["id"]
    )
    key = api.create_api_key(name="sources", enabled=True)
    plan = api.create_usage_plan(name="sources", apiStages=[{"apiId": api_id, "stage": "v1"}])["id"]
    api.create_usage_plan_key(usagePlanId=plan, keyId=key["id"], keyType="API_KEY")
    url = f"{emulator.webhook_base_url(region)}/restapis/{api_id}/v1/_user_request_/alerts"
    return url, key["value"], queue


def stored(client: Callable[..., Any], row: str, region: str = FAILOVER) -> dict[str, Any] | None:
    """The row of the global table, read in `region`."""
    item: dict[str, Any] | None = (
        client("dynamodb", region)
        .get_item(TableName=TABLE, Key={"id": {"S": row}}, ConsistentRead=True)
        .get("Item")
    )
    return item


def group_of(emulator: Emulator, region: str) -> list[psutil.Process]:
    """The region's process and its Lambda workers."""
    pid = next(one.pid for one in emulator.status().processes if one.name == region)
    leader = psutil.Process(pid)
    return [leader, *leader.children(recursive=True)]


def power(emulator: Emulator, region: str) -> str:
    """How a region is."""
    return next(one.power for one in emulator.status().regions if one.name == region)


def test_what_one_region_stores_the_other_reads(client: Callable[..., Any], deployed: Deployed) -> None:
    """Functions of both regions write the one global table through their own region's endpoint."""
    for region in (PRIMARY, FAILOVER):
        assert deployed.post(region, id=f"from-{region}") == {"stored": f"from-{region}"}
    assert stored(client, f"from-{PRIMARY}", FAILOVER)["by"] == {"S": PRIMARY}
    assert stored(client, f"from-{FAILOVER}", PRIMARY)["by"] == {"S": FAILOVER}


def test_webhook_without_the_regions_own_key_is_refused(deployed: Deployed) -> None:
    """Each region has a key of its own."""
    assert deployed.send(PRIMARY, deployed.keys[FAILOVER], id="never").status == HTTPStatus.FORBIDDEN


def test_queue_reaches_its_function(
    client: Callable[..., Any], deployed: Deployed, eventually: Callable[..., Any]
) -> None:
    """A message sent through the edge is worked off in its region."""
    client("sqs", PRIMARY).send_message(QueueUrl=deployed.queues[PRIMARY], MessageBody='{"id": "queued"}')
    assert eventually(lambda: stored(client, "queued"))["by"] == {"S": PRIMARY}


def test_deviation_requests_wait_for_a_busy_function(deployed: Deployed) -> None:
    """Twice as many at once as are reserved, and cold: AWS would throttle half of them."""
    with ThreadPoolExecutor(8) as sources:
        answers = list(sources.map(lambda _: deployed.post(FAILOVER, do="environment"), range(8)))
    assert {answer["AWS_REGION"] for answer in answers} == {FAILOVER}


def test_functions_see_nothing_of_the_persons_environment(deployed: Deployed) -> None:
    """Keys that merely sit in the environment never reach a function; the stand-ins' addresses do."""
    seen = deployed.post(PRIMARY, do="environment")
    assert not {"ANTHROPIC_API_KEY", "AWS_PROFILE", "SLACK_WEBHOOK_URL"} & seen.keys()
    assert "of-a-person" not in json.dumps(seen)
    assert seen["ANTHROPIC_BASE_URL"] == "http://api.anthropic.test"


def test_functions_see_only_their_own_package(client: Callable[..., Any], deployed: Deployed) -> None:  # noqa: ARG001 - deployed is what is invoked
    """A package that lacks a dependency fails here as it would on AWS."""
    event = json.dumps({"body": json.dumps({"do": "find", "module": "boto3"})})
    answer = client("lambda", PRIMARY).invoke(FunctionName="bare", Payload=event)
    assert json.loads(json.loads(answer["Payload"].read())["body"]) == {"found": False}


def counted(client: Callable[..., Any], function: str) -> dict[str, float]:
    """The sum of each of a function's metrics in the primary, as GetMetricData has it."""
    names = ("Invocations", "Errors", "Throttles", "Duration", "ConcurrentExecutions")
    now = datetime.now(UTC)
    answer = client("cloudwatch", PRIMARY).get_metric_data(
        MetricDataQueries=[
            {
                "Id": name.lower(),
                "Label": name,
                "MetricStat": {
                    "Metric": {
                        "Namespace": "AWS/Lambda",
                        "MetricName": name,
                        "Dimensions": [{"Name": "FunctionName", "Value": function}],
                    },
                    "Period": 60,
                    "Stat": "Sum",
                },
            }
            for name in names
        ],
        StartTime=now - timedelta(hours=2),
        EndTime=now + timedelta(minutes=1),
    )
    return {one["Label"]: sum(one["Values"]) for one in answer["MetricDataResults"]}


def test_an_invocation_is_in_the_functions_metrics_once_whoever_made_it(
    client: Callable[..., Any], deployed: Deployed, eventually: Callable[..., Any]
) -> None:
    """A queue, the webhook, and a direct call that fails; and one that is throttled is none."""
    before = counted(client, "f")
    client("sqs", PRIMARY).send_message(QueueUrl=deployed.queues[PRIMARY], MessageBody='{"id": "counted"}')
    eventually(lambda: counted(client, "f")["Invocations"] == before["Invocations"] + 1)
    deployed.post(PRIMARY, do="environment")
    functions = client("lambda", PRIMARY, retries={"total_max_attempts": 1})
    failed = functions.invoke(FunctionName="f", Payload=json.dumps({"body": '{"do": "nothing"}'}))
    assert "FunctionError" in failed
    functions.put_function_concurrency(FunctionName="bare", ReservedConcurrentExecutions=0)
    bare = counted(client, "bare")
    try:
        with pytest.raises(functions.exceptions.TooManyRequestsException):
            functions.invoke(FunctionName="bare", Payload=b"{}")
    finally:
        functions.delete_function_concurrency(FunctionName="bare")
    after = counted(client, "f")
    more = {name: after[name] - before.get(name, 0) for name in after}
    assert (more["Invocations"], more["Errors"], more["Throttles"]) == (3, 1, 0)
    assert more["Duration"] > 0
    assert more["ConcurrentExecutions"] >= 3
    throttled = counted(client, "bare")
    assert throttled["Throttles"] == bare.get("Throttles", 0) + 1
    assert throttled["Invocations"] == bare["Invocations"]


def test_deviation_a_log_tail_reports_no_memory(client: Callable[..., Any], deployed: Deployed) -> None:  # noqa: ARG001 - deployed is what is invoked
    """It ends in REPORT as on AWS, with an Init Duration of the invocation that started a process."""
    client("lambda", PRIMARY).update_function_configuration(FunctionName="bare", MemorySize=256)
    reports = []
    for _ in range(2):
        event = json.dumps({"body": json.dumps({"do": "environment"})})
        answer = client("lambda", PRIMARY).invoke(FunctionName="bare", Payload=event, LogType="Tail")
        reports.append(base64.b64decode(answer["LogResult"]).decode().splitlines()[-1])
    assert all("Memory Size: 256 MB\tMax Memory Used: 0 MB" in report for report in reports)
    assert ["Init Duration" in report for report in reports] == [True, False]


def test_functions_reach_slack_and_claude_by_the_regions_proxy(
    emulator: Emulator, deployed: Deployed
) -> None:
    """The SDKs that the handlers use honour the proxy that their region sets."""
    given = emulator.stand_ins()
    before = len(emulator.slack_messages())
    answer = deployed.post(FAILOVER, do="slack", url=given.slack_webhook_url, id="a1")
    assert answer == {"status": 200, "text": "ok"}
    [message] = emulator.slack_messages(after=before)
    assert (message.region, message.alert_ids) == (FAILOVER, ("a1",))
    assert "disk full" in deployed.post(PRIMARY, do="claude", api_key=given.anthropic_api_key)["text"]
    assert emulator.claude_calls()[-1].region == PRIMARY
    assert "disk full" in emulator.claude_requests()[-1]


def test_functions_reach_no_other_host(emulator: Emulator, deployed: Deployed) -> None:
    """A call to any other host is refused, with the reason, and listed."""
    answer = deployed.post(PRIMARY, do="get", url="http://example.com/")
    assert answer["status"] == HTTPStatus.FORBIDDEN
    assert "hooks.slack.test" in answer["text"]
    assert next(r for r in emulator.status().regions if r.name == PRIMARY).refused_hosts[-1] == "example.com"


def test_killed_region_is_gone_and_the_other_goes_on(
    whole: Emulator, client: Callable[..., Any], deployed: Deployed
) -> None:
    """SIGKILL takes the process and every Lambda worker; webhooks and signed calls are reset."""
    deployed.post(PRIMARY, id="warm")
    group = group_of(whole, PRIMARY)
    assert len(group) > 1, "the test is about Lambda workers too"
    whole.kill(PRIMARY)
    assert psutil.wait_procs(group, timeout=30)[1] == []
    with pytest.raises(HTTPError, match=GONE):
        deployed.post(PRIMARY, id="lost")
    for service in ("sqs", "dynamodb"):
        with pytest.raises(BotoCoreError):
            call_anything(client(service, PRIMARY), service)
    deployed.post(FAILOVER, id="went-on")
    assert stored(client, "went-on") is not None
    assert stored(client, "lost") is None


def test_started_region_has_its_resources_and_empty_queues(
    whole: Emulator, client: Callable[..., Any], deployed: Deployed, eventually: Callable[..., Any]
) -> None:
    """The same function, key, address and event source mapping work again; messages of before are lost."""
    queue = deployed.queues[PRIMARY]
    client("sqs", PRIMARY).send_message(QueueUrl=queue, MessageBody='{"id": "held"}', DelaySeconds=60)
    whole.checkpoint()
    whole.kill(PRIMARY)
    whole.start_region(PRIMARY)
    attributes = client("sqs", PRIMARY).get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])[
        "Attributes"
    ]
    assert attributes["ApproximateNumberOfMessagesDelayed"] == "0"
    assert deployed.post(PRIMARY, id="after-start") == {"stored": "after-start"}
    client("sqs", PRIMARY).send_message(QueueUrl=queue, MessageBody='{"id": "queued-after-start"}')
    assert eventually(lambda: stored(client, "queued-after-start"))


def test_region_whose_process_dies_by_itself_is_seen_as_killed(
    whole: Emulator, deployed: Deployed, eventually: Callable[..., Any]
) -> None:
    """A crash is not read as healthy, and is started again as after a kill."""
    group_of(whole, PRIMARY)[0].kill()
    eventually(lambda: power(whole, PRIMARY) == "killed")
    whole.start_region(PRIMARY)
    assert deployed.post(PRIMARY, id="after-crash") == {"stored": "after-crash"}


def test_frozen_region_takes_a_request_and_finishes_it_when_resumed(
    whole: Emulator, client: Callable[..., Any], deployed: Deployed, eventually: Callable[..., Any]
) -> None:
    """The grey failure: no answer while frozen, and the invocation wakes up later."""
    whole.freeze(PRIMARY)
    assert {process.status() for process in group_of(whole, PRIMARY)} == {psutil.STATUS_STOPPED}
    with pytest.raises(ReadTimeoutError):
        deployed.post(PRIMARY, id="slept", timeout_s=0.5)
    assert stored(client, "slept") is None
    whole.resume(PRIMARY)
    assert eventually(lambda: stored(client, "slept"))["by"] == {"S": PRIMARY}


def test_frozen_region_can_be_killed(whole: Emulator) -> None:
    """A process that is stopped still dies."""
    whole.freeze(PRIMARY)
    group = group_of(whole, PRIMARY)
    whole.kill(PRIMARY)
    assert psutil.wait_procs(group, timeout=30)[1] == []


def test_cut_region_runs_on_and_reaches_nothing(
    whole: Emulator,
    client: Callable[..., Any],
    deployed: Deployed,
    eventually: Callable[..., Any],
    tmp_path: Path,
) -> None:
    """In-flight connections are reset; what runs on cannot reach the table; reconnecting undoes it."""
    pid = group_of(whole, PRIMARY)[0].pid
    with ThreadPoolExecutor() as senders:
        sent = senders.submit(
            deployed.post, PRIMARY, do="store_when_told", id="cut-off", folder=str(tmp_path)
        )
        eventually((tmp_path / "begun").exists)
        whole.cut(PRIMARY)
        assert isinstance(sent.exception(timeout=20), HTTPError), "reset while the invocation runs on"
    with pytest.raises(HTTPError, match=GONE):
        deployed.post(PRIMARY, id="while-cut")
    with pytest.raises(BotoCoreError):
        call_anything(client("sqs", PRIMARY), "sqs")
    (tmp_path / "go").touch()
    eventually((tmp_path / "outcome").exists)
    assert (tmp_path / "outcome").read_text() == "EndpointConnectionError"
    assert group_of(whole, PRIMARY)[0].pid == pid

    whole.reconnect(PRIMARY)
    assert stored(client, "cut-off") is None
    assert deployed.post(PRIMARY, id="reconnected") == {"stored": "reconnected"}


def test_region_that_is_cut_when_started_stays_cut(whole: Emulator, deployed: Deployed) -> None:
    """A cut is of the network, and outlasts the process."""
    whole.cut(PRIMARY)
    whole.kill(PRIMARY)
    whole.start_region(PRIMARY)
    with pytest.raises(HTTPError, match=GONE):
        deployed.post(PRIMARY, id="still-cut")
    whole.reconnect(PRIMARY)
    assert deployed.post(PRIMARY, id="cut-and-started") == {"stored": "cut-and-started"}


@pytest.mark.parametrize("action", ["start", "resume", "reconnect"])
def test_undoing_what_was_not_done_is_refused(emulator: Emulator, action: str) -> None:
    """The answer says how the region is; nothing changes."""
    with pytest.raises(RefusedError, match=f"cannot {action} {PRIMARY}"):
        {"start": emulator.start_region, "resume": emulator.resume, "reconnect": emulator.reconnect}[action](
            PRIMARY
        )
    assert power(emulator, PRIMARY) == "running"


def test_unknown_region_is_refused_by_name(emulator: Emulator) -> None:
    """The answer lists the regions that there are."""
    with pytest.raises(RefusedError, match=r"eu-west-1.*us-east-1, us-west-2"):
        emulator.kill("eu-west-1")


def call_anything(service_client: Any, service: str) -> None:
    """Make the cheapest call of a service."""
    getattr(service_client, {"sqs": "list_queues", "dynamodb": "list_tables"}[service])()


def test_call_in_the_signature_of_an_unknown_region_is_explained(client: Callable[..., Any]) -> None:
    """A mistyped --region is an error that names the regions, not an empty list."""
    for service in ("sqs", "dynamodb"):
        with pytest.raises(ClientError, match="us-east-1, us-west-2"):
            call_anything(client(service, "eu-north-1"), service)
