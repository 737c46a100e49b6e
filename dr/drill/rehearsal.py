"""The restore rehearsal inside a drill: an export from before the fault is checked, restored and compared.

It runs in the failover region, on its own replica and its own bucket: that is what is left on such a day.
"""

import tempfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from dr.comparison.items import compare
from dr.drill.record import Moment
from dr.drill.run import DrillFailedError, DrillRun, Phase
from dr.drill.tables import new_table
from dr.exports.check import Expected, check_export
from dr.exports.manifest import Export, read_export
from dr.exports.objects import FolderObjects
from dr.exports.requests import ExportInfo, bucket_of, start_export, table_arn, wait_export
from dr.exports.sets import ExportSet, fetch_export, side_of
from dr.restores.restore import Restorer
from dr.restores.settings import as_restored, read_settings
from dr.restores.table_items import spool_table
from topology.tables import ALERTS

EXPORTED_WITHIN_S: Final = 120.0
RESTORED_WITHIN_S: Final = 120.0
REHEARSAL: Final = "restore rehearsal"
FINDINGS_SHOWN: Final = 3


def export_phase() -> Phase:
    """A backup from before the fault."""
    return Phase("restore point", "an export of the ledger is started in the failover region", _export)


def rehearsal_phase() -> Phase:
    """It is checked, restored and compared; begun beside the failover, which it must not wait for."""
    title = "the export is checked, restored into a new table and compared, beside the failover"
    return Phase(REHEARSAL, title, lambda run: run.result_of(REHEARSAL, rehearse))


def _export(run: DrillRun) -> str:
    deployment = run.target.deployment
    arn = run.file.state.facts.export_arn
    if arn is None:
        arn = start_export(deployment, deployment.failover.region, now=datetime.now(UTC))
        run.file.note(export_arn=arn)
    run.file.mark(Moment.RESTORE_POINT)
    return arn


def rehearse(run: DrillRun) -> str:
    """Check the export, restore it into a new table, and compare the two item by item.

    Raises:
        DrillFailedError: the export, an item or a setting is not as it should be.
    """
    deployment, region = run.target.deployment, run.target.deployment.failover.region
    arn = run.file.state.facts.export_arn
    assert arn is not None  # noqa: S101 - the phase `restore point` comes before
    info = wait_export(deployment, region, arn, within_s=EXPORTED_WITHIN_S)
    with tempfile.TemporaryDirectory(prefix="rehearsal-", dir=run.target.run_dir) as name:
        folder = Path(name)
        export = _checked(run, info, folder)
        table = new_table(run, region, "rehearsal")
        wanted = read_settings(deployment.clients, region, deployment.alerts_table)
        restorer = Restorer(
            deployment,
            region,
            as_restored(replace(wanted, replicas=())),
            run.say,
            RESTORED_WITHIN_S,
        )
        restored = restorer.import_export(export, target=table)
        right = spool_table(deployment.clients.client("dynamodb", region), table, folder / "table")
        exported = side_of(ExportSet(export, (), info.shows or datetime.now(UTC)), folder)
        comparison = compare(exported, right, key=ALERTS.hash_key)
    if not comparison.same or restored.lacking:
        settings = ", ".join(finding.code for finding in restored.lacking) or "all there"
        raise DrillFailedError(
            f"{table} is not what was exported: {comparison.changed} items changed, "
            f"{comparison.missing} missing, {comparison.extra} extra; settings: {settings}"
        )
    run.file.mark(Moment.RESTORED)
    return (
        f"export of {info.items} items checked, restored into {table} and the same, item by item; "
        f"{', '.join(restored.reapplied) or 'no setting'} reapplied"
    )


def _checked(run: DrillRun, info: ExportInfo, folder: Path) -> Export:
    """The export, fetched into `folder`, if nothing is wrong with it."""
    deployment, region = run.target.deployment, run.target.deployment.failover.region
    bucket = bucket_of(deployment, region)
    listed, findings = read_export(bucket, info.root)
    etags = fetch_export(bucket, listed, folder) if listed else {}
    expected = Expected(table_arns=(table_arn(deployment, region),))
    checked = check_export(FolderObjects(folder), info.root, expected=expected, reported_etags=etags)
    findings = [*findings, *checked.findings]
    if checked.export is None or findings:
        shown = "; ".join(
            f"{finding.code} {finding.subject}: {finding.text}" for finding in findings[:FINDINGS_SHOWN]
        )
        raise DrillFailedError(f"the export {info.root} is not good, {len(findings)} findings: {shown}")
    return checked.export
