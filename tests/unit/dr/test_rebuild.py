"""What a rebuild decides and refuses before it deploys, and whose the open alerts are afterwards."""

import hashlib
import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from clients.deployment import Deployment
from dr.exports.manifest import md5_base64
from dr.exports.objects import FolderObjects
from dr.exports.synthesis import ACCOUNT, BUCKET, TABLE_ARN, Recipe, synthesize
from dr.operations.journal import OperationFailedError, OperationRefusedError
from dr.operations.operation import StepContext
from dr.rebuilds import embedded
from dr.rebuilds.folder import RebuildRequest
from dr.rebuilds.plan import RebuildPlan, placement, prepare
from dr.rebuilds.rebuild import rebuild
from dr.rebuilds.reowning import reown
from ops.dr.rebuild_command import next_commands
from tests.fakes.dr_stack import PRIMARY, DrStack, dr_stack, put_alert
from tests.fakes.moto_clients import moto_client
from topology.alerts import SCHEMA
from topology.backups import package_key, stack_key
from topology.config import StackConfig
from topology.config_keys import EVENTUAL, STRONG
from topology.functions import FUNCTIONS

FORMER = ("us-east-1", "us-west-2")
TABLE = TABLE_ARN.rpartition("/")[2]
OLD = {
    "primaryRegion": "us-east-1",
    "failoverRegion": "us-west-2",
    "witnessRegion": "us-east-2",
    "ledgerConsistency": "strong",
    "domain": "alerts.example.com",
    "hostedZoneId": "Z0123456789ABC",
    "owner": "team",
}


@pytest.mark.parametrize(
    ("region", "second", "expected"),
    [
        ("eu-west-1", "", ("eu-west-1", "eu-central-1", "eu-west-2", STRONG)),
        ("eu-west-1", "eu-west-3", ("eu-west-1", "eu-west-3", "eu-central-1", STRONG)),
        ("us-east-2", "ca-central-1", ("us-east-2", "ca-central-1", "", EVENTUAL)),
        ("eu-west-1", "eu-north-1", ("eu-west-1", "eu-north-1", "", EVENTUAL)),
    ],
)
def test_a_strong_ledger_stays_strong_where_a_set_of_three_allows(
    region: str, second: str, expected: tuple[str, str, str, str]
) -> None:
    """Without three regions of one set beside the lost stack's, it becomes eventual, and that is told."""
    placed, notes = placement(OLD, FORMER, region, second)
    keys = ("primaryRegion", "failoverRegion", "witnessRegion", "ledgerConsistency")
    assert tuple(placed[key] for key in keys) == expected
    assert any("will be eventual" in note for note in notes) == (expected[3] == EVENTUAL)
    raw = {**OLD, **placed, "domain": "", "hostedZoneId": ""}
    assert StackConfig.parse(stack="prod", raw=raw).regions == expected[:2]


@pytest.mark.parametrize(
    ("region", "second", "says"),
    [
        ("mars-1", "", "no AWS region"),
        ("us-west-2", "", "the lost stack is in us-west-2"),
        ("eu-west-1", "us-east-1", "the lost stack is in us-east-1"),
        ("sa-east-1", "", "name the second region"),
        ("eu-west-1", "eu-west-1", "other than eu-west-1"),
    ],
)
def test_regions_that_will_not_do_are_refused(region: str, second: str, says: str) -> None:
    """With what to name instead."""
    with pytest.raises(OperationRefusedError, match=says):
        placement(OLD, FORMER, region, second)


def test_buckets_get_a_new_ending_since_the_lost_ones_keep_their_names() -> None:
    """A rebuild of a rebuild too; an ending of a person's own stays in front where there is room."""
    suffix = "backupBucketSuffix"
    assert placement(OLD, FORMER, "eu-west-1", "")[0][suffix] == "eu-west-1"
    assert placement({**OLD, suffix: "acme"}, FORMER, "eu-west-1", "")[0][suffix] == "acme-eu-west-1"
    assert placement({**OLD, suffix: "123456789012"}, FORMER, "eu-west-1", "")[0][suffix] == "eu-west-1"
    assert placement({**OLD, suffix: "eu-west-1"}, FORMER, "eu-west-1", "")[0][suffix] == "eu-west-1-2"


@pytest.fixture
def bucket(tmp_path: Path) -> Path:
    """A backup bucket as a folder: configuration, packages, and a full export of two alerts."""
    root = tmp_path / "bucket"
    outputs = {
        "AlertsTableName": TABLE,
        "PrimaryRegion": FORMER[0],
        "FailoverRegion": FORMER[1],
        "BackupBucketName": BUCKET,
        "FailoverBackupBucketName": f"{BUCKET}-failover",
        "AlarmTopicArn": f"arn:aws:sns:{FORMER[0]}:{ACCOUNT}:alarms",
    }
    packages = {}
    for spec in FUNCTIONS:
        path = root / package_key("latest", spec)
        path.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(path, "w") as out:
            out.writestr("handler.py", "handle = 1")
        packages[spec.suffix] = hashlib.sha256(path.read_bytes()).hexdigest()
    record = {"stack": "dev", "config": OLD, "outputs": outputs, "packages": packages}
    put(root / stack_key("latest"), json.dumps(record).encode())
    synthesize(root, Recipe(items=2))
    return root


def put(path: Path, content: bytes) -> None:
    """Write a file with its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def test_a_plan_has_the_old_configuration_in_new_regions(bucket: Path, tmp_path: Path) -> None:
    """Packages from the backup, no domain, and a file that Pulumi reads."""
    plan = prepare(FolderObjects(bucket), tmp_path / "work", region="eu-west-1")
    assert (plan.stack, plan.former, plan.table) == ("dev", FORMER, TABLE)
    assert plan.regions == ("eu-west-1", "eu-central-1")
    config = yaml.safe_load(plan.config_file.read_text())["config"]
    assert config["aws:region"] == "eu-west-1"
    assert config["mcp-incident-responder:owner"] == "team"
    assert config["mcp-incident-responder:domain"] == ""
    packages = Path(config["mcp-incident-responder:packagesFrom"])
    assert {path.name for path in packages.iterdir()} == {f"{spec.suffix}.zip" for spec in FUNCTIONS}
    assert any("secrets" in note for note in plan.notes)
    assert any("alerts.example.com" in note for note in plan.notes)


def test_the_secrets_of_routes_are_among_those_that_a_person_puts_again(bucket: Path, tmp_path: Path) -> None:
    """By the backup's own configuration, which holds routes as the text that Pulumi hands over."""
    path = bucket / stack_key("latest")
    record = json.loads(path.read_bytes())
    routes = json.dumps([{"name": "payments", "match": {"source": "billing"}}])
    path.write_bytes(json.dumps({**record, "config": {**record["config"], "routes": routes}}).encode())
    plan = prepare(FolderObjects(bucket), tmp_path / "work", region="eu-west-1")
    said = "\n".join(next_commands(plan))
    for secret in ("slack-webhook ", "anthropic-key ", "slack-webhook-payments "):
        assert f"--secret-id mcp-responder-dev/{secret}" in said


def test_a_backup_of_another_schema_is_refused_before_anything_is_deployed(
    bucket: Path, tmp_path: Path
) -> None:
    """One with our number is planned, see above."""
    shutil.rmtree(bucket / Recipe(items=2).root)
    synthesize(bucket, Recipe(items=2, schema=SCHEMA + 1))

    def deploy(_plan: RebuildPlan) -> Deployment:
        raise AssertionError

    refused = rf"schema {SCHEMA + 1}, and this release reads {SCHEMA}: use the release that wrote them"
    with pytest.raises(OperationRefusedError, match=refused):
        rebuild(
            FolderObjects(bucket),
            tmp_path / "work",
            RebuildRequest(region="eu-west-1"),
            deploy=deploy,
            operator="a",
        )


def test_a_plan_passes_over_what_is_not_good_and_says_so(bucket: Path, tmp_path: Path) -> None:
    """An older export, for one that is damaged; the same exports again, for a run that goes on."""
    synthesize(bucket, Recipe(items=3, variant=1))
    objects, work = FolderObjects(bucket), tmp_path / "work"
    first = prepare(objects, work, region="eu-west-1")
    roots = [one.root for one in first.exports.exports]
    assert prepare(objects, work, region="eu-west-1", roots=roots).exports == first.exports
    flipped_bit(bucket / roots[0])
    second = prepare(objects, work, region="eu-west-1")
    assert second.exports.full.root != roots[0]
    assert any(f"passed over: the export {roots[0]}" in note for note in second.notes)
    with pytest.raises(OperationRefusedError, match=r"no full export.*file-md5"):
        prepare(objects, work, region="eu-west-1", roots=roots)


def broken_package(root: Path) -> None:
    """A package that is no zip."""
    put(root / package_key("latest", FUNCTIONS[0]), b"no zip")


def no_package(root: Path) -> None:
    """A package that is not there."""
    (root / package_key("latest", FUNCTIONS[0])).unlink()


def no_export(root: Path) -> None:
    """Exports of another table only."""
    for path in root.rglob("manifest-summary.json"):
        path.unlink()


def flipped_bit(root: Path) -> None:
    """A data file that is not what its manifest says."""
    path = next(root.rglob("*.json.gz"))
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))


def other_account(root: Path) -> None:
    """The exports of a table of the same name that is somebody else's."""
    for path in root.rglob("manifest-summary.json"):
        text = path.read_text(encoding="utf-8").replace(ACCOUNT, "999999999999")
        path.write_text(text, encoding="utf-8")
        path.with_suffix(".md5").write_text(md5_base64(text.encode()), encoding="ascii")


def flipped_package(root: Path) -> None:
    """A package of which a byte is another; or it is another deployment's."""
    path = root / package_key("latest", FUNCTIONS[0])
    content = path.read_bytes()
    path.write_bytes(content.replace(b"handle =", b"handled="))


def no_record(root: Path) -> None:
    """A `stack.json` that says nothing."""
    put(root / stack_key("latest"), b"{}")


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (broken_package, "AlertReceptionFunction"),
        (no_package, "code/latest/AlertReceptionFunction.zip"),
        (no_export, "no full export"),
        (flipped_bit, "no full export.*file-md5"),
        (other_account, "no full export"),
        (flipped_package, "AlertReceptionFunction"),
        (no_record, "does not say what the stack was"),
    ],
)
def test_a_backup_that_is_damaged_or_not_whole_is_refused_by_name(
    bucket: Path, tmp_path: Path, damage: Any, says: str
) -> None:
    """Before anything is deployed."""
    damage(bucket)
    with pytest.raises(OperationRefusedError, match=says):
        prepare(FolderObjects(bucket), tmp_path / "work", region="eu-west-1")


def test_a_stack_in_other_regions_than_planned_is_never_filled(
    aws: None,  # noqa: ARG001 - moto
    bucket: Path,
    tmp_path: Path,
) -> None:
    """Least of all the lost one, whose outputs somebody may have at hand."""
    stack = dr_stack()
    with pytest.raises(OperationRefusedError, match="is in us-east-1 and us-west-2, not in eu-west-1"):
        rebuild(
            FolderObjects(bucket),
            tmp_path / "work",
            RebuildRequest(region="eu-west-1"),
            deploy=lambda _plan: stack.deployment,
            operator="ada",
            environment=stack.environment,
        )
    assert scan() == {}
    assert json.loads((tmp_path / "work" / "rebuild.json").read_text())["state"] == "refused"


def scan() -> dict[str, Any]:
    """Every alert by id."""
    items = moto_client("dynamodb", PRIMARY).scan(TableName="alerts")["Items"]
    return {item["alert_id"]["S"]: item for item in items}


@pytest.fixture
def stack(aws: None) -> DrStack:  # noqa: ARG001 - moto
    """The new stack."""
    return dr_stack()


def turn(stack: DrStack, seconds: int = 60) -> StepContext:
    """A step's context."""
    deadline_ms = stack.clock.now_ms() + seconds * 1_000
    return StepContext(clock=stack.clock, deadline_ms=deadline_ms, tell=lambda _: None)


def test_open_alerts_become_the_new_regions_with_a_possible_duplicate(stack: DrStack) -> None:
    """Recovery there finds them; what is at rest stays as it is. Running it twice counts none twice."""
    put_alert("open", status="ANALYZED", region="ap-south-1", due_at=5)
    put_alert("rest", status="NOTIFIED", region="ap-south-1")
    put_alert("own", status="RECEIVED", region=PRIMARY, due_at=5)
    done = reown(stack.deployment, turn(stack), former=("ap-south-1", "ap-south-2"))
    assert done.facts.moved == 1
    assert reown(stack.deployment, turn(stack), former=("ap-south-1",)).facts.moved == 0
    rows = scan()
    assert rows["open"]["owner"]["S"] == PRIMARY
    assert rows["open"]["open_key"]["S"] == f"{PRIMARY}#HIGH"
    assert rows["open"]["region"]["S"] == "ap-south-1"
    assert rows["open"]["possible_duplicates"]["M"] == {"ownership_transferred": {"N": "1"}}
    assert (rows["rest"]["owner"]["S"], rows["rest"]["possible_duplicates"]["M"]) == ("ap-south-1", {})
    assert rows["own"]["possible_duplicates"]["M"] == {}


def test_re_owning_stops_at_its_deadline_and_can_be_gone_on_with(stack: DrStack) -> None:
    """However many are left."""
    put_alert("open", status="ANALYZED", region="ap-south-1", due_at=5)
    with pytest.raises(OperationFailedError, match="run it again"):
        reown(stack.deployment, turn(stack, seconds=0), former=("ap-south-1",))
    assert reown(stack.deployment, turn(stack), former=("ap-south-1",)).facts.moved == 1


def test_the_program_that_is_deployed_again_is_the_projects_own() -> None:
    """A rebuild copies it from where the project is."""
    assert all((embedded.ROOT / name).is_file() for name in ("__main__.py", "Pulumi.yaml"))
