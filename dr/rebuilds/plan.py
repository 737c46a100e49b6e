"""What a rebuild starts from: the backup bucket's content in a folder, checked, and the new configuration.

Nothing else of the lost stack is asked: neither its regions, nor its tables, nor Pulumi's state.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from dr.exports.check import Expected
from dr.exports.objects import FolderObjects, ObjectMissingError, Objects, fetch
from dr.exports.requests import ExportRefusedError, table_arn_beside
from dr.exports.sets import ExportSet, good_set
from dr.operations.journal import OperationRefusedError
from topology.backups import LATEST, STACK_BYTES_MAX, package_key, stack_key
from topology.config import ConfigError, StackConfig
from topology.config_keys import EVENTUAL, STRONG
from topology.functions import FUNCTIONS
from topology.names import PROJECT
from topology.regions import REGIONS, STRONG_REGION_SETS

SUFFIX_CHARS_MAX: Final = 20
_OUTPUTS: Final = (
    "AlertsTableName",
    "PrimaryRegion",
    "FailoverRegion",
    "BackupBucketName",
    "FailoverBackupBucketName",
    "AlarmTopicArn",
)
"""Of the lost stack: what its exports have to be of."""


@dataclass(frozen=True, kw_only=True)
class RebuildPlan:
    """A stack to be made again. `folder` has the fetched objects where their keys say.

    `configuration`: by key, without the namespace. `former`: the regions that the lost stack was in. `notes`:
    what is not as it was, and what is left to a person.
    """

    stack: str
    date: str
    folder: Path
    configuration: Mapping[str, Any]
    former: tuple[str, str]
    table: str
    exports: ExportSet
    notes: tuple[str, ...]

    @property
    def regions(self) -> tuple[str, str]:
        """The regions to come, the primary first."""
        return self.configuration["primaryRegion"], self.configuration["failoverRegion"]

    @property
    def config_file(self) -> Path:
        """The stack's configuration as Pulumi reads it."""
        return self.folder / f"Pulumi.{self.stack}.yaml"


def prepare(
    objects: Objects,
    folder: Path,
    *,
    region: str,
    failover_region: str = "",
    date: str = "",
    roots: Sequence[str] = (),
) -> RebuildPlan:
    """Fetch what a rebuild needs into `folder`, check it, and write the new stack's configuration there.

    `date`: of the configuration and the packages, as the bucket has it; the last deployment's without.
    `roots`: of the exports that an earlier run began to fill with; the newest good ones without. An export
    that is not good is passed over, and a note says so. Again: everything is fetched anew.

    Raises:
        OperationRefusedError: an object is missing, no full export is good, one of `roots` is not, a package
            is damaged, or the regions will not do.
        ObjectsUnreadableError: the bucket does not answer.
    """
    date = date or LATEST
    try:
        fetch(objects, iter([stack_key(date), *(package_key(date, spec) for spec in FUNCTIONS)]), folder)
        record = _record(FolderObjects(folder), date)
        table = str(record["outputs"]["AlertsTableName"])
        good = good_set(objects, table, folder, expected=_expected(record["outputs"]), roots=roots)
    except (ObjectMissingError, ExportRefusedError) as error:
        raise OperationRefusedError(f"the backup is not complete: {error}") from error
    _check_packages(folder, date, record["packages"])
    former = (str(record["outputs"]["PrimaryRegion"]), str(record["outputs"]["FailoverRegion"]))
    stack, old = str(record["stack"]), record["config"]
    placed, notes = placement(old, former, region, failover_region)
    configuration = {**old, **placed, "packagesFrom": str((folder / package_key(date, FUNCTIONS[0])).parent)}
    if old.get("domain"):
        configuration |= {"domain": "", "hostedZoneId": ""}
        notes.append(
            f"the name {old['domain']} still has the lost stack's records; once those are gone, set domain "
            "and hostedZoneId again and deploy"
        )
    notes += [f"passed over: {why}" for why in good.passed_over]
    notes.append("secrets are not in a backup: put the Slack webhook and the Anthropic key again")
    try:
        StackConfig.parse(stack=stack, raw=configuration)
    except ConfigError as error:
        raise OperationRefusedError(f"the new configuration will not do: {error}") from error
    plan = RebuildPlan(
        stack=stack,
        date=date,
        folder=folder,
        configuration=configuration,
        former=former,
        table=table,
        exports=good.exports,
        notes=tuple(notes),
    )
    _write_config(plan)
    return plan


def placement(
    old: Mapping[str, Any], former: tuple[str, str], region: str, failover_region: str
) -> tuple[dict[str, str], list[str]]:
    """The settings that follow from the regions to come, and what to tell of them.

    A strong ledger needs three regions of one set; without such three it becomes eventual, and that is told.

    Raises:
        OperationRefusedError: a region is unknown or the lost stack's own, or the second one has to be named.
    """
    for name in filter(None, (region, failover_region)):
        if name not in REGIONS:
            raise OperationRefusedError(f"{name!r} is no AWS region; name one such as eu-west-1")
        if name in former:
            raise OperationRefusedError(
                f"the lost stack is in {name}, where its names are taken; name a region other than "
                f"{' and '.join(former)}"
            )
    free = [group - set(former) for group in STRONG_REGION_SETS if region in group]
    second = failover_region or next((name for group in free for name in sorted(group - {region})), "")
    if not second or second == region:
        raise OperationRefusedError(f"name the second region, other than {region}, by --failover-region")
    third = next((name for group in free if second in group for name in sorted(group - {region, second})), "")
    strong = old.get("ledgerConsistency", STRONG) == STRONG
    notes = []
    if strong and not third:
        notes.append(
            f"the ledger was strong and will be eventual: {region} and {second} have no third region of a "
            "set beside them that the lost stack was not in; others can be named by --failover-region"
        )
    taken = str(old.get("backupBucketSuffix", ""))
    suffix = f"{taken}-{region}" if taken and len(f"{taken}-{region}") <= SUFFIX_CHARS_MAX else region
    if taken.endswith(region):
        suffix = f"{region}-2"
    notes.append(f"the lost stack's buckets keep their names, so the new ones end in {suffix}")
    placed = {
        "primaryRegion": region,
        "failoverRegion": second,
        "witnessRegion": third if strong else "",
        "ledgerConsistency": STRONG if strong and third else EVENTUAL,
        "backupBucketSuffix": suffix,
    }
    return placed, notes


def _record(folder: FolderObjects, date: str) -> Mapping[str, Any]:
    """`stack.json`, with the parts that are needed."""
    key = stack_key(date)
    try:
        record = json.loads(folder.read(key, limit_bytes=STACK_BYTES_MAX))
        _ = record["stack"], record["config"]["primaryRegion"], record["packages"].keys()
        _ = [record["outputs"][name] for name in _OUTPUTS]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise OperationRefusedError(
            f"{key} does not say what the stack was ({error!r}); give another --date"
        ) from error
    return dict(record)


def _expected(outputs: Mapping[str, Any]) -> Expected:
    """Exports of the lost stack's own ledger: its account, its regions, its buckets.

    Raises:
        ExportRefusedError: the outputs do not say whose it was.
    """
    table, topic = str(outputs["AlertsTableName"]), str(outputs["AlarmTopicArn"])
    regions = (str(outputs["PrimaryRegion"]), str(outputs["FailoverRegion"]))
    return Expected(
        table_arns=tuple(table_arn_beside(topic, region=region, table=table) for region in regions),
        buckets=(str(outputs["BackupBucketName"]), str(outputs["FailoverBackupBucketName"])),
    )


def _check_packages(folder: Path, date: str, digests: Mapping[str, Any]) -> None:
    """Refuse packages that are not those of the deployment that wrote `stack.json`."""
    packages = {spec.suffix: folder / package_key(date, spec) for spec in FUNCTIONS}
    actual = {suffix: hashlib.sha256(path.read_bytes()).hexdigest() for suffix, path in packages.items()}
    if wrong := [suffix for suffix, digest in actual.items() if digest != digests.get(suffix)]:
        raise OperationRefusedError(
            f"{', '.join(wrong)}: not the package that {stack_key(date)} has the digest of, so it is damaged "
            "or another deployment's; give another --date"
        )


def _write_config(plan: RebuildPlan) -> None:
    values = {"aws:region": plan.regions[0]}
    values |= {f"{PROJECT}:{key}": value for key, value in sorted(plan.configuration.items())}
    text = yaml.safe_dump({"config": values}, sort_keys=False)
    plan.config_file.write_text(text, encoding="utf-8")
