"""What a second deployment does to what is there, in the order and by the state that real ones have."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from botocore.exceptions import ClientError

from emulator.pulumi.program import DeployError
from tests.emulator.provider.deployer import Deployer
from tests.fakes.http_server import Answer, ScriptedServer

pytestmark = pytest.mark.emulator

Client = Callable[..., Any]
HERE = "us-east-1"
THERE = "us-west-2"

LOCK = """
vault = aws.backup.Vault("v", region="us-east-1", name="v", force_destroy=True)
aws.backup.VaultLockConfiguration("v", region="us-east-1", backup_vault_name=vault.name,
                                  min_retention_days={days}, opts=pulumi.ResourceOptions({options}))
"""


def test_a_vault_stays_locked_when_its_lock_changes(deployer: Deployer, client: Client) -> None:
    """The lock has no update, and one deletion for all of its versions: the old one goes first."""
    deployer.up(LOCK.format(days=1, options="delete_before_replace=True"))
    changed = deployer.up(LOCK.format(days=2, options="delete_before_replace=True"))
    assert (changed.replaced, changed.deleted) == (1, 0)
    vault = client("backup", HERE).describe_backup_vault(BackupVaultName="v")
    assert (vault["Locked"], vault["MinRetentionDays"]) == (True, 2)


def test_a_replacement_that_would_undo_itself_is_refused(deployer: Deployer, client: Client) -> None:
    """Pulumi would put the new lock and then take "the old one" off, which is the only one."""
    deployer.up(LOCK.format(days=1, options=""))
    with pytest.raises(DeployError, match="delete_before_replace=True"):
        deployer.up(LOCK.format(days=2, options=""))
    vault = client("backup", HERE).describe_backup_vault(BackupVaultName="v")
    assert (vault["Locked"], vault["MinRetentionDays"]) == (True, 1)


OBJECT = """
bucket = aws.s3.Bucket("b", region="us-east-1", bucket="locked", object_lock_enabled=True, force_destroy=True)
where = dict(region="us-east-1", bucket=bucket.bucket)
versioned = aws.s3.BucketVersioning("b", versioning_configuration={{"status": "Enabled"}}, **where)
lock = aws.s3.BucketObjectLockConfiguration(
    "b", rule={{"default_retention": {{"mode": "GOVERNANCE", "days": {days}}}}}, **where,
    opts=pulumi.ResourceOptions(depends_on=[versioned]))
aws.s3.BucketObjectv2("o", key="k", content={content!r}, force_destroy=True, **where,
                      opts=pulumi.ResourceOptions(depends_on=[lock], {options}))
"""
IGNORED = 'ignore_changes=["objectLockMode", "objectLockRetainUntilDate"]'
ANEW = f'{IGNORED}, replace_on_changes=["content"], retain_on_delete=True'


def locked_for(client: Client) -> timedelta:
    """How long the newest version is locked from now on."""
    retention = client("s3", HERE).get_object_retention(Bucket="locked", Key="k")["Retention"]
    assert retention["Mode"] == "GOVERNANCE"
    until: datetime = retention["RetainUntilDate"]
    return until - datetime.now(UTC)


def test_the_second_up_unlocks_an_object_whose_lock_is_left_out(deployer: Deployer, client: Client) -> None:
    """AWS fills in the lock, the provider reads it, and the program says that there is none."""
    deployer.up(OBJECT.format(days=1, content="one", options=""))
    assert locked_for(client) > timedelta(hours=23)
    assert deployer.up().updated == 1
    with pytest.raises(ClientError, match="NoSuchObjectLockConfiguration"):
        locked_for(client)
    assert deployer.up().updated == 0


def test_an_object_that_ignores_its_lock_passes_the_old_one_on(deployer: Deployer, client: Client) -> None:
    """The next version gets the state's date, whatever the bucket's default; S3 refuses one that is past."""
    deployer.up(OBJECT.format(days=1, content="one", options=IGNORED))
    assert deployer.up().updated == 0
    deployer.up(OBJECT.format(days=2, content="two", options=IGNORED))
    assert locked_for(client) < timedelta(days=1)
    with pytest.raises(ClientError, match="must be in the future"):
        client("s3", HERE).put_object(
            Bucket="locked",
            Key="k",
            Body=b"three",
            ObjectLockMode="GOVERNANCE",
            ObjectLockRetainUntilDate=datetime.now(UTC) - timedelta(hours=1),
        )


def test_an_object_that_is_put_anew_keeps_every_versions_lock(deployer: Deployer, client: Client) -> None:
    """As the program's own: nothing to do the second time, and each version has the lock of its day."""
    deployer.up(OBJECT.format(days=1, content="one", options=ANEW))
    assert deployer.up().updated == 0
    changed = deployer.up(OBJECT.format(days=2, content="two", options=ANEW))
    assert (changed.replaced, changed.deleted) == (1, 1), "the old one is forgotten, as deleted"
    assert locked_for(client) > timedelta(hours=47)
    s3 = client("s3", HERE)
    newest, oldest = s3.list_object_versions(Bucket="locked", Prefix="k")["Versions"]
    for version, text in ((newest["VersionId"], b"two"), (oldest["VersionId"], b"one")):
        assert s3.get_object(Bucket="locked", Key="k", VersionId=version)["Body"].read() == text
        with pytest.raises(ClientError, match="AccessDenied"):
            s3.delete_object(Bucket="locked", Key="k", VersionId=version)
    assert (again := deployer.up()).same == changed.same + 2
    assert again.replaced == 0
    assert deployer.down().deleted == again.same
    assert "locked" not in {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]}


TABLE = """
aws.dynamodb.Table(
    "t", region="us-east-1", name="things", billing_mode="PAY_PER_REQUEST", hash_key="id",
    attributes=[{{"name": "id", "type": "S"}}, {{"name": "kind", "type": "S"}}],
    global_secondary_indexes=[{{"name": {index!r}, "projection_type": "ALL", "key_schemas": [
        {{"attribute_name": "kind", "key_type": "HASH"}}]}}],
    deletion_protection_enabled={protected}, global_table_witness={{"region_name": "us-east-2"}},
    replicas=[{{"region_name": "us-west-2", "consistency_mode": "STRONG",
               "deletion_protection_enabled": {protected}}}])
"""


def protected(client: Client) -> list[bool]:
    """Whether the table and its replica are protected against deletion."""
    described = [client("dynamodb", region).describe_table(TableName="things") for region in (HERE, THERE)]
    return [table["Table"]["DeletionProtectionEnabled"] for table in described]


def test_a_strong_replica_is_protected_by_the_second_up_only(deployer: Deployer, client: Client) -> None:
    """The provider's creation leaves its protection out, its Read says so, and an update puts it right."""
    deployer.up(TABLE.format(protected=True, index="one"))
    assert protected(client) == [True, False]
    second = deployer.up()
    assert (second.updated, second.replaced) == (1, 0)
    assert protected(client) == [True, True]
    assert deployer.up().same == 1
    deployer.up(TABLE.format(protected=False, index="one"))
    assert protected(client) == [False, False]


def test_an_index_that_changes_leaves_the_table_and_its_items(deployer: Deployer, client: Client) -> None:
    """As in the real provider: only the table's own key and name make another table."""
    deployer.up(TABLE.format(protected=False, index="one"))
    client("dynamodb", HERE).put_item(TableName="things", Item={"id": {"S": "a"}, "kind": {"S": "k"}})
    changed = deployer.up(TABLE.format(protected=False, index="two"))
    assert (changed.updated, changed.replaced) == (1, 0)
    [found] = client("dynamodb", HERE).query(
        TableName="things",
        IndexName="two",
        KeyConditionExpression="kind = :k",
        ExpressionAttributeValues={":k": {"S": "k"}},
    )["Items"]
    assert found["id"] == {"S": "a"}


SECRET = """
aws.secretsmanager.Secret("s", region="us-east-1", name="s", recovery_window_in_days=0,
                          replicas=[{{"region": region}} for region in {regions}])
"""


def test_a_secret_keeps_its_value_when_it_gets_a_replica(deployer: Deployer, client: Client) -> None:
    """Replicas are an update; that the embedded Secrets Manager takes none away is said."""
    deployer.up(SECRET.format(regions=[]))
    client("secretsmanager", HERE).put_secret_value(SecretId="s", SecretString="value")
    changed = deployer.up(SECRET.format(regions=[THERE]))
    assert (changed.updated, changed.replaced) == (1, 0)
    assert client("secretsmanager", THERE).get_secret_value(SecretId="s")["SecretString"] == "value"
    with pytest.raises(DeployError, match="cannot take the replica in us-west-2 away"):
        deployer.up(SECRET.format(regions=[]))


API = """
api = aws.apigateway.RestApi("api", name="api", region="us-east-1",
                             endpoint_configuration={{"types": "REGIONAL"}})
where = dict(region="us-east-1", rest_api=api.id)
path = aws.apigateway.Resource("p", parent_id=api.root_resource_id, path_part="p", **where)
method = aws.apigateway.Method("m", resource_id=path.id, http_method="GET", authorization="NONE",
                               api_key_required={key_required}, **where)
target = aws.apigateway.Integration("i", resource_id=path.id, http_method=method.http_method,
                                    type="HTTP_PROXY", integration_http_method="GET",
                                    uri={uri!r}, **where)
deployment = aws.apigateway.Deployment("d", triggers={{"t": {trigger!r}}}, **where,
                                       opts=pulumi.ResourceOptions(depends_on=[target]))
stage = aws.apigateway.Stage("s", deployment=deployment.id, stage_name="v1", **where)
pulumi.export("Url", pulumi.Output.concat(stage.invoke_url, "/p"))
"""


@pytest.fixture
def uri() -> Iterator[str]:
    """What an integration is with, whose status is nobody else's."""
    server = ScriptedServer([Answer(status=418)])
    yield f"{server.url}/"
    server.stop()


def test_a_changed_method_reaches_its_stage_by_a_deployment_only(deployer: Deployer, uri: str) -> None:
    """As on AWS: what no trigger names is in the API and not in what answers."""
    url = deployer.up(API.format(key_required=True, trigger="one", uri=uri)).outputs["Url"]
    assert requests.get(url, timeout=60).status_code == 403
    assert deployer.up(API.format(key_required=False, trigger="one", uri=uri)).updated == 1
    assert requests.get(url, timeout=60).status_code == 403
    deployer.up(API.format(key_required=False, trigger="two", uri=uri))
    assert requests.get(url, timeout=60).status_code == 418


OTHER = """
other = aws.apigateway.Method("o", resource_id=path.id, http_method="POST", authorization="NONE", **where)
target = aws.apigateway.Integration("o", resource_id=path.id, http_method=other.http_method,
                                    type="HTTP_PROXY", integration_http_method="GET", uri={uri!r}, **where)
deployment ="""


def test_a_method_that_is_removed_is_served_until_the_next_deployment(deployer: Deployer, uri: str) -> None:
    """Pulumi deletes at the end of an update, after the deployment that the update makes."""

    def api(trigger: str) -> str:
        return API.format(key_required=False, trigger=trigger, uri=uri)

    url = deployer.up(api("one").replace("deployment =", OTHER.format(uri=uri), 1)).outputs["Url"]
    assert requests.post(url, timeout=60).status_code == 418
    assert deployer.up(api("two")).deleted == 3, "the method, its integration and the old deployment"
    assert requests.post(url, timeout=60).status_code == 418
    deployer.up(api("three"))
    assert requests.post(url, timeout=60).status_code == 403
    assert requests.get(url, timeout=60).status_code == 418
