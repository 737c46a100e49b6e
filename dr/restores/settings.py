"""A table's settings field by field: what a restore drops, how tables differ, putting back what is lacking.

A restored or imported table has its items, keys and indexes, and nothing else of what its source had.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/PointInTimeRecovery_Howitworks.html
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import partial
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from clients.aws import AwsClients
from clients.waiting import wait_for
from dr.exports.manifest import Finding
from dr.restores.table_companions import NAME, alarms_of, autoscaling_of, named, scale
from topology.config import StackConfig
from topology.config_keys import STRONG
from topology.errors import ExplainedError
from topology.tables import IndexSpec, TableSpec

EVENTUAL: Final = "EVENTUAL"
REPLICATED_BY: Final = "NEW_AND_OLD_IMAGES"
"""The stream that a table with eventual replicas has.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/V2globaltables_HowItWorks.html"""
ACTIVE_WITHIN_S: Final = 1_800
_COMPARED_BY_ITEM: Final = ("indexes", "tags", "autoscaling", "alarms")


class SettingsUnknownError(ExplainedError):
    """A table is not there or does not answer, or a setting cannot be reapplied."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings of one table. `replicas`: the other regions that hold it.

    `autoscaling` and `alarms` are by name what AWS was told to make them, with `NAME` for the table's own.
    """

    hash_key: str
    indexes: Mapping[str, str]
    billing: str
    table_class: str
    encryption: str
    consistency: str
    replicas: tuple[str, ...]
    stream: str
    ttl: str
    pitr: bool
    deletion_protection: bool
    tags: Mapping[str, str]
    autoscaling: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    alarms: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def read_settings(clients: AwsClients, region: str, table: str) -> Settings:
    """The settings of a table as a region has it.

    Raises:
        SettingsUnknownError: it is not there, or does not answer.
    """
    dynamodb = clients.client("dynamodb", region)
    try:
        described = dynamodb.describe_table(TableName=table)["Table"]
        ttl = dynamodb.describe_time_to_live(TableName=table)["TimeToLiveDescription"]
        backups = dynamodb.describe_continuous_backups(TableName=table)["ContinuousBackupsDescription"]
        tags = dynamodb.list_tags_of_resource(ResourceArn=described["TableArn"]).get("Tags", [])
        billing = described.get("BillingModeSummary", {}).get("BillingMode", "PROVISIONED")
        return Settings(
            hash_key=_keys(described["KeySchema"], described["AttributeDefinitions"]),
            indexes={
                index["IndexName"]: _index(index, described["AttributeDefinitions"])
                for index in described.get("GlobalSecondaryIndexes", [])
            },
            billing=billing,
            table_class=described.get("TableClassSummary", {}).get("TableClass", "STANDARD"),
            encryption=described.get("SSEDescription", {}).get("SSEType", "AWS_OWNED"),
            consistency=described.get("MultiRegionConsistency", EVENTUAL),
            replicas=tuple(
                sorted(r["RegionName"] for r in described.get("Replicas", []) if r["RegionName"] != region)
            ),
            stream=_stream(described),
            ttl=ttl.get("AttributeName", "") if ttl["TimeToLiveStatus"] in ("ENABLED", "ENABLING") else "",
            pitr=backups.get("PointInTimeRecoveryDescription", {}).get("PointInTimeRecoveryStatus")
            == "ENABLED",
            deletion_protection=bool(described.get("DeletionProtectionEnabled", False)),
            tags={tag["Key"]: tag["Value"] for tag in tags if not tag["Key"].startswith("aws:")},
            autoscaling=autoscaling_of(clients, region, table) if billing == "PROVISIONED" else {},
            alarms=alarms_of(clients, region, table),
        )
    except (BotoCoreError, ClientError) as error:
        raise SettingsUnknownError(f"the settings of {table} in {region} are unknown: {error}") from error


def settings_of(spec: TableSpec, config: StackConfig, region: str, tags: Mapping[str, str]) -> Settings:
    """What the program gives a table, for where the source is gone."""
    strong = spec.shares_ledger_consistency and config.ledger_consistency == STRONG
    return Settings(
        hash_key=f"{spec.hash_key.name} {spec.hash_key.type}",
        indexes={index.name: _spec_text(index) for index in spec.indexes},
        billing="PAY_PER_REQUEST",
        table_class="STANDARD",
        encryption="KMS",
        consistency=STRONG.upper() if strong else EVENTUAL,
        replicas=tuple(name for name in config.regions if name != region),
        stream="" if strong else REPLICATED_BY,
        ttl=spec.ttl_attribute or "" if not strong else "",
        pitr=True,
        deletion_protection=config.deletion_protection,
        tags=tags,
    )


def as_restored(wanted: Settings) -> Settings:
    """What a table that is restored with its items can have of `wanted`: it can only be eventual."""
    stream = wanted.stream or (REPLICATED_BY if wanted.replicas else "")
    return replace(wanted, consistency=EVENTUAL, stream=stream)


def differences(wanted: Settings, actual: Settings, *, table: str) -> list[Finding]:
    """Every setting that is not as wanted, by name: `setting-ttl`, `setting-tags` and so on."""
    findings: list[Finding] = []
    for setting in fields(Settings):
        pair = getattr(wanted, setting.name), getattr(actual, setting.name)
        code = f"setting-{setting.name.replace('_', '-')}"
        if setting.name in _COMPARED_BY_ITEM:
            findings += [
                Finding(
                    code, f"{table}.{setting.name}.{name}", _is_and_should(*(side.get(name) for side in pair))
                )
                for name in sorted(pair[0].keys() | pair[1].keys())
                if pair[0].get(name) != pair[1].get(name)
            ]
        elif pair[0] != pair[1]:
            findings.append(Finding(code, f"{table}.{setting.name}", _is_and_should(*pair)))
    return findings


def reapply(
    clients: AwsClients, region: str, table: str, wanted: Settings, *, with_replicas: bool = True
) -> list[str]:
    """Give a table what it lacks of the wanted settings; returns the names of what was reapplied.

    Keys, indexes, encryption and consistency are fixed when a table is made, and stay. Safe to run twice.
    Replicas are made last but one: a table with a stream can be given them, and they take its tags along.

    Raises:
        SettingsUnknownError: the table does not answer, or refuses a setting.
    """
    actual = read_settings(clients, region, table)
    dynamodb = clients.client("dynamodb", region)
    done: list[str] = []
    try:
        for name, put in _changes(clients, region, table, wanted, actual):
            put()
            wait_active(dynamodb, table)
            done.append(name)
        strong = wanted.consistency == STRONG.upper()
        for replica in () if strong or not with_replicas else sorted({*wanted.replicas} - {*actual.replicas}):
            dynamodb.update_table(TableName=table, ReplicaUpdates=[{"Create": {"RegionName": replica}}])
            wait_active(dynamodb, table)
            done.append(f"replica in {replica}")
        if wanted.deletion_protection and not actual.deletion_protection:
            dynamodb.update_table(TableName=table, DeletionProtectionEnabled=True)
            done.append("deletion protection")
    except (BotoCoreError, ClientError) as error:
        raise SettingsUnknownError(
            f"{table} in {region} has {', '.join(done) or 'nothing'} back, then: {error}; go on from there"
        ) from error
    return done


def wait_active(dynamodb: Any, table: str, *, within_s: float = ACTIVE_WITHIN_S) -> None:
    """Wait until a table and its replicas are ACTIVE; botocore's errors pass.

    Raises:
        SettingsUnknownError: it is not after `within_s`.
    """

    def not_active() -> set[str]:
        described = dynamodb.describe_table(TableName=table)["Table"]
        states = {described["TableStatus"], *(r.get("ReplicaStatus") for r in described.get("Replicas", []))}
        return states - {"ACTIVE", None}

    states = wait_for(not_active, lambda pending: not pending, within_s=within_s)
    if states:
        raise SettingsUnknownError(f"{table} is {', '.join(sorted(states))} after {within_s:.0f} s")


def _changes(
    clients: AwsClients, region: str, table: str, wanted: Settings, actual: Settings
) -> Iterator[tuple[str, Callable[[], object]]]:
    """What has to be reapplied, each with the call that does it."""
    dynamodb = clients.client("dynamodb", region)
    if missing := {key: value for key, value in wanted.tags.items() if actual.tags.get(key) != value}:
        arn = dynamodb.describe_table(TableName=table)["Table"]["TableArn"]
        listed = [{"Key": key, "Value": value} for key, value in missing.items()]
        yield "tags", lambda: dynamodb.tag_resource(ResourceArn=arn, Tags=listed)
    if wanted.stream and not actual.stream:
        stream = {"StreamEnabled": True, "StreamViewType": wanted.stream}
        yield "stream", lambda: dynamodb.update_table(TableName=table, StreamSpecification=stream)
    if wanted.ttl and wanted.ttl != actual.ttl:
        ttl = {"Enabled": True, "AttributeName": wanted.ttl}
        yield "ttl", lambda: dynamodb.update_time_to_live(TableName=table, TimeToLiveSpecification=ttl)
    if wanted.pitr and not actual.pitr:
        yield "pitr", partial(_protect, dynamodb, table)
    for name, policy in wanted.autoscaling.items():
        if name not in actual.autoscaling:
            yield f"autoscaling {name}", partial(scale, clients, region, table, policy)
    for name, alarm in wanted.alarms.items():
        if name not in actual.alarms:
            put_alarm = clients.client("cloudwatch", region).put_metric_alarm
            yield f"alarm {name}", partial(put_alarm, **named(alarm, NAME, table))


def _protect(dynamodb: Any, table: str, *, within_s: float = ACTIVE_WITHIN_S) -> None:
    """StepContext point-in-time recovery on, which a table that was just made refuses for a while.

    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateContinuousBackups.html
    """

    def refused() -> ClientError | None:
        try:
            dynamodb.update_continuous_backups(
                TableName=table, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "ContinuousBackupsUnavailableException":
                raise
            return error
        return None

    error = wait_for(refused, lambda failure: failure is None, within_s=within_s)
    if error is not None:
        raise error


def _stream(described: Mapping[str, Any]) -> str:
    stream = described.get("StreamSpecification", {})
    return str(stream.get("StreamViewType", "")) if stream.get("StreamEnabled") else ""


def _keys(schema: list[dict[str, str]], attributes: list[dict[str, str]]) -> str:
    types = {attribute["AttributeName"]: attribute["AttributeType"] for attribute in attributes}
    ordered = sorted(schema, key=lambda attribute: attribute["KeyType"] != "HASH")
    return ", ".join(
        f"{attribute['AttributeName']} {types.get(attribute['AttributeName'], '?')}" for attribute in ordered
    )


def _index(index: Mapping[str, Any], attributes: list[dict[str, str]]) -> str:
    projection = index["Projection"]
    return _index_text(
        _keys(index["KeySchema"], attributes),
        projection["ProjectionType"],
        tuple(projection.get("NonKeyAttributes") or ()),
    )


def _spec_text(index: IndexSpec) -> str:
    keys = ", ".join(f"{key.name} {key.type}" for key in (index.hash_key, index.range_key))
    kind = "ALL" if index.projected is None else "INCLUDE" if index.projected else "KEYS_ONLY"
    return _index_text(keys, kind, index.projected or ())


def _index_text(keys: str, projection: str, attributes: tuple[str, ...]) -> str:
    return f"{keys}: {projection} {' '.join(sorted(attributes))}".rstrip()


def _is_and_should(wanted: object, actual: object) -> str:
    return f"is {actual or 'nothing'!r}, should be {wanted or 'nothing'!r}"
