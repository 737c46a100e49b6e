"""What a rebuild starts from: the backup bucket's content in a folder, checked, and the new configuration.

Nothing else of the lost stack is asked: neither its regions, nor its tables, nor Pulumi's state.
"""

import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from dr.check import Expected, check_export
from dr.exports import ExportRefusedError, ExportSet, fetch_export, latest_set
from dr.journal import OperationRefusedError
from dr.objects import FolderObjects, ObjectMissingError, Objects, fetch
from topology.backups import LATEST, package_key, stack_key
from topology.config import EVENTUAL, STRONG, ConfigError, StackConfig
from topology.functions import FUNCTIONS
from topology.names import PROJECT
from topology.regions import REGIONS, STRONG_REGION_SETS

STACK_BYTES_MAX: Final = 1 << 20
SUFFIX_CHARS_MAX: Final = 20
NAMED: Final = 5


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
    objects: Objects, folder: Path, *, region: str, failover_region: str = "", date: str = ""
) -> RebuildPlan:
    """Fetch what a rebuild needs into `folder`, check it, and write the new stack's configuration there.

    `date`: of the configuration and the packages, as the bucket has it; the last deployment's without. Again:
    everything is fetched anew.

    Raises:
        OperationRefusedError: an object is missing, a file is damaged, or the regions will not do.
        ObjectsUnreadableError: the bucket does not answer.
    """
    date = date or LATEST
    try:
        fetch(objects, iter([stack_key(date), *(package_key(date, spec) for spec in FUNCTIONS)]), folder)
        record = _record(FolderObjects(folder), date)
        table = str(record["outputs"]["AlertsTableName"])
        exports = latest_set(objects, table)
        _fetch_checked(objects, exports, folder)
    except (ObjectMissingError, ExportRefusedError) as error:
        raise OperationRefusedError(f"the backup is not complete: {error}") from error
    damaged = [spec.suffix for spec in FUNCTIONS if not zipfile.is_zipfile(folder / package_key(date, spec))]
    if damaged:
        raise OperationRefusedError(f"no package, as it is no zip: {', '.join(damaged)}; give another --date")
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
        exports=exports,
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
    for one in filter(None, (region, failover_region)):
        if one not in REGIONS:
            raise OperationRefusedError(f"{one!r} is no AWS region; name one such as eu-west-1")
        if one in former:
            raise OperationRefusedError(
                f"the lost stack is in {one}, where its names are taken; name a region other than "
                f"{' and '.join(former)}"
            )
    free = [group - set(former) for group in STRONG_REGION_SETS if region in group]
    second = failover_region or next((one for group in free for one in sorted(group - {region})), "")
    if not second or second == region:
        raise OperationRefusedError(f"name the second region, other than {region}, by --failover-region")
    third = next((one for group in free if second in group for one in sorted(group - {region, second})), "")
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
        found = json.loads(folder.read(key, limit_bytes=STACK_BYTES_MAX))
        _ = found["stack"], found["config"]["primaryRegion"]
        _ = [found["outputs"][name] for name in ("AlertsTableName", "PrimaryRegion", "FailoverRegion")]
    except (ValueError, KeyError, TypeError) as error:
        raise OperationRefusedError(
            f"{key} does not say what the stack was ({error!r}); give another --date"
        ) from error
    return dict(found)


def _fetch_checked(objects: Objects, exports: ExportSet, folder: Path) -> None:
    """Fetch the exports, and refuse if anything of them is wrong."""
    for export in exports.exports:
        etags = fetch_export(objects, export, folder)
        checked = check_export(
            FolderObjects(folder),
            export.root,
            expected=Expected(table_arn=export.summary.table_arn),
            reported_etags=etags,
        )
        if not checked.good:
            named = "; ".join(f"{one.code} {one.subject}: {one.text}" for one in checked.findings[:NAMED])
            raise OperationRefusedError(f"the export {export.root} is damaged: {named}")


def _write_config(plan: RebuildPlan) -> None:
    values = {"aws:region": plan.regions[0]}
    values |= {f"{PROJECT}:{key}": value for key, value in sorted(plan.configuration.items())}
    text = yaml.safe_dump({"config": values}, sort_keys=False)
    plan.config_file.write_text(text, encoding="utf-8")
