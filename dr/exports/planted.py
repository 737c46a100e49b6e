"""Faults planted into a copy of a good export and into settings, each of which has to be reported by name.

`make drill-all` plants them into an export that the stack really made; a unit test into a synthesised one.
"""

import gzip
import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from dr.exports.check import Expected, check_export
from dr.exports.manifest import FILES, SUMMARY, md5_base64
from dr.exports.objects import FolderObjects
from dr.exports.row_schema import SCHEMA_TEXT
from dr.restores.settings import Settings, differences

NOTHING: Final = "nothing"
"""What has to be found in the export before a fault is planted."""


@dataclass(frozen=True)
class Planted:
    """One fault and what came of it. `code`: the finding that has to be among what was `found`."""

    fault: str
    code: str
    found: tuple[str, ...]

    @property
    def named(self) -> bool:
        """Whether the fault was reported by its name."""
        return self.code in self.found


class _Copy:
    """A copy of an export that may be spoilt. `sign` makes its checksums true again."""

    def __init__(self, folder: Path, root: str) -> None:
        self.folder, self.root = folder, root
        self.entries: list[dict[str, Any]] = [
            json.loads(line) for line in (folder / root / FILES).read_text(encoding="utf-8").splitlines()
        ]
        self.summary: dict[str, Any] = json.loads((folder / root / SUMMARY).read_text(encoding="utf-8"))

    @property
    def largest(self) -> tuple[Path, dict[str, Any]]:
        """The data file with the most items, and its line in the manifest."""
        entry = max(self.entries, key=lambda entry: int(entry["itemCount"]))
        return self.folder / entry["dataFileS3Key"], entry

    def sign(self) -> None:
        """Write the manifests with true checksums."""
        files = "".join(json.dumps(entry) + "\n" for entry in self.entries)
        for name, text in ((FILES, files), (SUMMARY, json.dumps(self.summary))):
            path = self.folder / self.root / name
            path.write_text(text, encoding="utf-8")
            path.with_suffix(".md5").write_text(md5_base64(text.encode()), encoding="ascii")

    def rewrite(self, change: Callable[[bytes], bytes]) -> None:
        """Change the largest file's items, and have its MD5 say so."""
        path, entry = self.largest
        path.write_bytes(gzip.compress(change(gzip.decompress(path.read_bytes())), mtime=0))
        entry["md5Checksum"] = md5_base64(path.read_bytes())
        self.sign()


def _flip(copy: _Copy) -> None:
    path, _ = copy.largest
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def _truncate(copy: _Copy) -> None:
    path, _ = copy.largest
    path.write_bytes(path.read_bytes()[:-20])


def _remove(copy: _Copy) -> None:
    copy.largest[0].unlink()


def _add(copy: _Copy) -> None:
    path, _ = copy.largest
    shutil.copyfile(path, copy.folder / copy.root / "data" / "zzzzzzzzzzzzzzzzzzzzzzzzzz.json.gz")


def _drop_item(copy: _Copy) -> None:
    copy.rewrite(lambda text: text[: text.rstrip(b"\n").rfind(b"\n") + 1])


def _break_line(copy: _Copy) -> None:
    copy.rewrite(lambda text: b'{"item":1}' + text[text.find(b"\n") :])


def _without_schema(copy: _Copy) -> None:
    copy.rewrite(lambda text: text.replace(SCHEMA_TEXT, b'"schema":{"N":"0"}', 1))


def _change_etag(copy: _Copy) -> None:
    copy.largest[1]["etag"] = f"{'0' * 32}-1"
    copy.sign()


def _change_summary(name: str, change: Callable[[Any], Any]) -> Callable[[_Copy], None]:
    def spoil(copy: _Copy) -> None:
        copy.summary[name] = change(copy.summary.get(name))
        copy.sign()

    return spoil


def _unsigned_summary(copy: _Copy) -> None:
    path = copy.folder / copy.root / SUMMARY
    path.write_bytes(path.read_bytes() + b" ")


def _unsigned_files(copy: _Copy) -> None:
    path = copy.folder / copy.root / FILES
    path.write_bytes(path.read_bytes() + b"\n")


def _no_checksum(copy: _Copy) -> None:
    (copy.folder / copy.root / SUMMARY).with_suffix(".md5").unlink()


def _traverse(copy: _Copy) -> None:
    copy.entries[0]["dataFileS3Key"] = "../../etc/passwd"
    copy.sign()


def _wrong_type(copy: _Copy) -> None:
    copy.entries[0]["itemCount"] = "many"
    copy.sign()


def _twice(copy: _Copy) -> None:
    copy.entries.append(dict(copy.largest[1]))
    copy.sign()


def _unfinished(copy: _Copy) -> None:
    for name in (SUMMARY, FILES):
        (copy.folder / copy.root / name).unlink()
    (copy.folder / copy.root / "_started").touch()


_OTHER_ACCOUNT: Final = "999999999999"


def _of_other_account(arn: str) -> str:
    parts = arn.split(":")
    parts[4] = _OTHER_ACCOUNT
    return ":".join(parts)


FAULTS: Final[Mapping[str, tuple[str, Callable[[_Copy], None]]]] = {
    "a flipped bit": ("file-md5", _flip),
    "a truncated file": ("file-truncated", _truncate),
    "a missing file": ("file-missing", _remove),
    "an extra file": ("file-extra", _add),
    "an item dropped from a file": ("file-count", _drop_item),
    "a line that is no item": ("file-line", _break_line),
    "a row of another schema": ("other-schema", _without_schema),
    "another etag": ("file-etag", _change_etag),
    "a file listed twice": ("file-listed-twice", _twice),
    "a summary that counts otherwise": ("summary-count", _change_summary("itemCount", lambda n: n + 1)),
    "a changed summary": ("manifest-md5", _unsigned_summary),
    "a changed list of files": ("manifest-md5", _unsigned_files),
    "a lost checksum": ("checksum-missing", _no_checksum),
    "a key that leads out of the export": ("key-outside", _traverse),
    "a count that is no number": ("files-invalid", _wrong_type),
    "another table": ("other-table", _change_summary("tableArn", lambda arn: f"{arn}-other")),
    "another account": ("other-account", _change_summary("tableArn", _of_other_account)),
    "another bucket": ("other-bucket", _change_summary("s3Bucket", lambda name: f"{name}-other")),
    "another export's manifest": ("other-export", _change_summary("exportArn", lambda arn: f"{arn}0")),
    "another format": ("format", _change_summary("outputFormat", lambda _: "ION")),
    "an old export": ("too-old", _change_summary("exportTime", lambda _: "2020-01-01T00:00:00Z")),
    "a time to come": ("time-future", _change_summary("exportTime", lambda _: "2999-01-01T00:00:00Z")),
    "an export that is not finished": ("not-completed", _unfinished),
}
"""Fault to the finding that must name it, and how it is planted."""

SETTINGS_FAULTS: Final[Mapping[str, tuple[str, Mapping[str, Any]]]] = {
    "no TTL": ("setting-ttl", {"ttl": ""}),
    "no point-in-time recovery": ("setting-pitr", {"pitr": False}),
    "no stream": ("setting-stream", {"stream": ""}),
    "lost tags": ("setting-tags", {"tags": {}}),
    "no replica": ("setting-replicas", {"replicas": ()}),
    "no deletion protection": ("setting-deletion-protection", {"deletion_protection": False}),
    "another consistency": ("setting-consistency", {"consistency": "NONE"}),
    "a lost index": ("setting-indexes", {"indexes": {}}),
}
"""Fault to the finding that must name it, and the setting as the fault leaves it."""

GOOD_SETTINGS: Final = Settings(
    hash_key="alert_id S",
    indexes={"timestamp-index": "severity S, timestamp N: ALL"},
    billing="PAY_PER_REQUEST",
    table_class="STANDARD",
    encryption="KMS",
    consistency="EVENTUAL",
    replicas=("us-west-2",),
    stream="NEW_AND_OLD_IMAGES",
    ttl="expires_at",
    pitr=True,
    deletion_protection=True,
    tags={"Owner": "unowned"},
)


def run_all(exported: Path, root: str, *, folder: Path) -> list[Planted]:
    """Plant each fault into a copy of a good full export, check it, and say what was found.

    `exported`: where the bucket's keys lie as files; `root`: the key of the export's folder; `folder` takes
    the copies, one at a time.
    """
    good = _Copy(exported, root)
    expected = Expected(
        table_arns=(good.summary["tableArn"],),
        buckets=(good.summary["s3Bucket"],),
        max_age=timedelta(days=365),
        now=datetime.fromisoformat(good.summary["exportTime"]).astimezone(UTC),
    )
    unspoilt = check_export(FolderObjects(exported), root, expected=expected)
    results = [Planted("none", NOTHING, tuple(finding.code for finding in unspoilt.findings) or (NOTHING,))]
    for fault, (code, spoil) in FAULTS.items():
        copied = folder / "copy"
        shutil.copytree(exported / root, copied / root)
        spoil(_Copy(copied, root))
        checked = check_export(FolderObjects(copied), root, expected=expected)
        results.append(Planted(fault, code, tuple(finding.code for finding in checked.findings)))
        shutil.rmtree(copied)
    for fault, (code, changed) in SETTINGS_FAULTS.items():
        findings = differences(GOOD_SETTINGS, replace(GOOD_SETTINGS, **changed), table="restored")
        results.append(Planted(fault, code, tuple(finding.code for finding in findings)))
    return results
