"""Which exports make a state that can be restored: a full one, and incremental ones that go on from it.

A rebuild has nothing but a bucket, so they are found by the manifests that lie there. Restores, comparisons
and drills take the same sets.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from dr.comparison.states import Side
from dr.exports.check import Expected, check_export, moment
from dr.exports.manifest import SUMMARY, Export, Finding, read_export
from dr.exports.objects import FolderObjects, ObjectInfo, Objects, fetch
from dr.exports.requests import ExportRefusedError, Window, chained
from topology.backups import EXPORTS

FINDINGS_SHOWN: Final = 3


@dataclass(frozen=True)
class ExportSet:
    """A full export and the incremental ones that go on from it without a gap."""

    full: Export
    incrementals: tuple[Export, ...]
    exported_to: datetime

    @property
    def exports(self) -> tuple[Export, ...]:
        """All of them, the oldest first."""
        return self.full, *self.incrementals


@dataclass(frozen=True)
class GoodSet:
    """A set that was fetched and checked. `passed_over`: why better ones were not taken, an export each."""

    exports: ExportSet
    passed_over: tuple[str, ...]


@dataclass(frozen=True)
class _Found:
    """An export in the bucket, and the state that it shows or goes to."""

    export: Export
    at: datetime


def latest_set(
    objects: Objects, table: str, *, full_only: bool = False, expected: Expected | None = None
) -> ExportSet:
    """The set of exports of a table, by its name, that reaches furthest; the full one alone by `full_only`.

    It goes by the summaries alone: `good_set` says whether the files are what they say. What `expected` rules
    out by table or time is not looked at.

    Raises:
        ExportRefusedError: there is no full export of that table.
        ObjectsUnreadableError: the bucket does not answer.
    """
    return _furthest(_summarised(objects, table, expected or Expected()), table, full_only=full_only)


def good_set(
    objects: Objects,
    table: str,
    folder: Path,
    *,
    expected: Expected,
    until: datetime | None = None,
    roots: Sequence[str] = (),
    full_only: bool = False,
) -> GoodSet:
    """Fetch into `folder` the set that reaches furthest and has nothing wrong with it.

    A bad export is passed over: an overlapping or an older one may do instead. `until`: take none that goes
    beyond. `roots`: take these exports and no others, such as those that an earlier run began with.
    `full_only`: take the newest good full export alone.

    Raises:
        ExportRefusedError: no good full export is left, or one of `roots` is not there or not good.
        ObjectMissingError: an object went away, or its key leads out of the folder.
        ObjectsUnreadableError: the bucket does not answer.
    """
    unread: dict[str, str] = {}
    candidates = [
        candidate
        for candidate in _summarised(objects, table, expected, unread)
        if (until is None or candidate.at <= until) and (not roots or candidate.export.root in roots)
    ]
    good, passed_over = set[str](), list[str]()
    while True:
        try:
            exports = _furthest(candidates, table, full_only=full_only)
        except ExportRefusedError as error:
            raise ExportRefusedError("; ".join([str(error), *passed_over, *unread.values()])) from error
        unchecked = next((candidate for candidate in exports.exports if candidate.root not in good), None)
        if unchecked is None:
            break
        try:
            fetch_good(objects, unchecked, folder, expected=expected)
            good.add(unchecked.root)
        except ExportRefusedError as error:
            passed_over.append(str(error))
            candidates = [candidate for candidate in candidates if candidate.export is not unchecked]
    if roots and [candidate.root for candidate in exports.exports] != list(roots):
        lacking = "; ".join(passed_over) or f"only {len(exports.exports)} of {len(roots)} are there"
        raise ExportRefusedError(f"the exports that this was begun with are not all good any more: {lacking}")
    newer = (why for root, why in unread.items() if _id(root) > _id(exports.full.root))
    return GoodSet(exports, (*passed_over, *newer))


def fetch_good(objects: Objects, export: Export, folder: Path, *, expected: Expected) -> None:
    """Copy an export to where its keys say under `folder`, and check the copy.

    Raises:
        ExportRefusedError: something is wrong with it; the message has the first findings.
        ObjectMissingError: an object went away, or its key leads out of the folder.
        ObjectsUnreadableError: the bucket does not answer.
    """
    etags = fetch_export(objects, export, folder)
    checked = check_export(FolderObjects(folder), export.root, expected=expected, reported_etags=etags)
    if not checked.good:
        raise ExportRefusedError(not_good(export.root, checked.findings))


def not_good(root: str, findings: Sequence[Finding]) -> str:
    """A sentence with the first of what is wrong with an export, and how to see all of it."""
    shown = "; ".join(
        f"{finding.code} {finding.subject}: {finding.text}" for finding in findings[:FINDINGS_SHOWN]
    )
    return (
        f"the export {root} is not good, {len(findings)} findings: {shown}; "
        f"`responder dr check {root}` names every one"
    )


def fetch_export(objects: Objects, export: Export, folder: Path) -> dict[str, str]:
    """Copy an export to where its keys say under `folder`; returns the etags that S3 reports, by key.

    What lies among its data and is not in its manifest comes along, for the check to name it.

    Raises:
        ObjectMissingError: a file is not there.
        ObjectsUnreadableError: the bucket does not answer.
    """
    there = {info.key: info.etag for info in objects.listed(f"{export.root}/")}
    if export.summary.incremental:
        there |= {info.key: info.etag for info in _of_changes(objects, export)}
    fetch(objects, iter(there), folder)
    return {key: etag for key, etag in there.items() if etag}


def side_of(exports: ExportSet, folder: Path) -> Side:
    """The state that exports show, of files that lie where their keys say under `folder`."""
    export_id = exports.full.root.rpartition("/")[2]
    return Side(
        label=f"export {export_id} and {len(exports.incrementals)} later ones, "
        f"to {exports.exported_to.isoformat()}",
        items=tuple(folder / key for key in exports.full.data_keys),
        changes=tuple(folder / key for export in exports.incrementals for key in export.data_keys),
    )


def _furthest(candidates: Iterable[_Found], table: str, *, full_only: bool = False) -> ExportSet:
    """Of each replica the newest full export with what goes on from it, since no older one reaches further.

    Exports of two replicas are never mixed: what one of them got late may be in neither's window. Nor are
    those of a table and of one that was made anew under its name.
    """
    newest: dict[tuple[str, str], _Found] = {}
    windows: dict[tuple[str, str], list[Window[Export]]] = {}
    for candidate in sorted(candidates, key=lambda candidate: candidate.at):
        summary = candidate.export.summary
        replica, since = (summary.table_arn, summary.table_id), moment(summary.export_from_time)
        if not summary.incremental:
            newest[replica] = candidate
        elif since is not None:
            windows.setdefault(replica, []).append(Window(since, candidate.at, candidate.export))
    if not newest:
        raise ExportRefusedError(
            f"there is no full export of {table} under {EXPORTS}/ that can be used; nothing can be restored"
        )
    sets = []
    for replica, full in newest.items():
        later, exported_to = chained(full.at, [] if full_only else windows.get(replica, []))
        sets.append((exported_to, full.at, ExportSet(full.export, tuple(later), exported_to)))
    return max(sets, key=lambda candidate: candidate[:2])[2]


def _id(root: str) -> str:
    """An export's id, which begins with its time: ids of later exports are greater."""
    return root.rpartition("/")[2]


def _summarised(
    objects: Objects, table: str, expected: Expected, unread: dict[str, str] | None = None
) -> Iterator[_Found]:
    """The exports of a table that have a summary and were not ruled out.

    `unread` gets, by its folder's key, why an export's summary does not say of which table it is.
    """
    for info in objects.listed(f"{EXPORTS}/"):
        if not info.key.endswith(f"/{SUMMARY}"):
            continue
        root = info.key.removesuffix(f"/{SUMMARY}")
        export, findings = read_export(objects, root)
        if export is None and unread is not None:
            unread[root] = not_good(root, findings)
        if export is None or export.summary.table_arn.rpartition("table/")[2] != table:
            continue
        summary = export.summary
        at = moment(summary.shows)
        known = not expected.table_arns or summary.table_arn in expected.table_arns
        if known and at is not None and at <= expected.latest:
            yield _Found(export, at)


def _of_changes(objects: Objects, export: Export) -> Iterator[ObjectInfo]:
    wanted = set(export.data_keys)
    folder = f"{export.root.rpartition('/')[0]}/data/"
    return (info for info in objects.listed(folder) if info.key in wanted)
