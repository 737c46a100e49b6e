"""Everything wrong with an export is found and named; hostile manifests are refused, not followed."""

import gzip
import hashlib
import json
import re
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from dr.exports.check import Checked, Expected, check_export
from dr.exports.manifest import FILES, SUMMARY, SUMMARY_BYTES_MAX, md5_base64
from dr.exports.objects import FolderObjects, ObjectMissingError, fetch
from dr.exports.planted import FAULTS, SETTINGS_FAULTS, Planted, run_all
from dr.exports.row_schema import SCHEMA_TEXT
from dr.exports.synthesis import BUCKET, TABLE_ARN, Recipe, synthesize
from topology.alerts import SCHEMA

ITEMS = 200


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Planted]:
    """Every fault in a copy of one export, by its name."""
    folder = tmp_path_factory.mktemp("planted")
    root = synthesize(folder / "bucket", Recipe(items=ITEMS))
    return {one.fault: one for one in run_all(folder / "bucket", root, folder=folder)}


@pytest.mark.parametrize("fault", ["none", *FAULTS, *SETTINGS_FAULTS])
def test_a_planted_fault_is_reported_by_its_name(planted: dict[str, Planted], fault: str) -> None:
    """And in the export itself nothing is found."""
    assert planted[fault].named, planted[fault]


@pytest.fixture
def root(tmp_path: Path) -> str:
    """A good export under `tmp_path`."""
    return synthesize(tmp_path, Recipe(items=ITEMS))


@pytest.fixture
def check(tmp_path: Path, root: str) -> Callable[[], Checked]:
    """Check it."""
    return lambda: check_export(
        FolderObjects(tmp_path), root, expected=Expected(table_arns=(TABLE_ARN,), buckets=(BUCKET,))
    )


def codes(found: Checked) -> set[str]:
    """The names of the findings."""
    return {finding.code for finding in found.findings}


def sign(path: Path, text: str) -> None:
    """Write a manifest with a true checksum."""
    path.write_text(text, encoding="utf-8")
    path.with_suffix(".md5").write_text(md5_base64(text.encode()), encoding="ascii")


def test_several_faults_are_all_named(tmp_path: Path, root: str, check: Callable[[], Checked]) -> None:
    """Not the first only, and each with its file."""
    first, second, *_ = sorted((tmp_path / root / "data").iterdir())
    first.unlink()
    second.write_bytes(second.read_bytes()[:-1])
    named = {(finding.code, finding.subject.rpartition("/")[2]) for finding in check().findings}
    assert {("file-missing", first.name), ("file-truncated", second.name), ("file-md5", second.name)} <= named


def test_the_documented_name_of_a_checksum_will_do(
    tmp_path: Path, root: str, check: Callable[[], Checked]
) -> None:
    """`.checksum`, where DynamoDB writes `.md5`."""
    for name in (SUMMARY, FILES):
        path = (tmp_path / root / name).with_suffix(".md5")
        path.rename(path.with_suffix(".checksum"))
    assert check().good


def test_the_etag_that_s3_reports_goes_before_one_that_is_computed(tmp_path: Path, root: str) -> None:
    """A copy has no etags of its own."""
    entry = json.loads((tmp_path / root / FILES).read_text(encoding="utf-8").splitlines()[0])
    found = check_export(
        FolderObjects(tmp_path), root, expected=Expected(), reported_etags={entry["dataFileS3Key"]: "f" * 32}
    )
    assert [(one.code, one.subject) for one in found.findings] == [("file-etag", entry["dataFileS3Key"])]


def test_a_file_of_several_gzip_members_is_read_to_its_end(
    tmp_path: Path, root: str, check: Callable[[], Checked]
) -> None:
    """Gzip allows it; only the checksums of the file differ then."""
    path = max((tmp_path / root / "data").iterdir(), key=lambda one: one.stat().st_size)
    text = gzip.decompress(path.read_bytes())
    half = text.find(b"\n", len(text) // 2) + 1
    path.write_bytes(gzip.compress(text[:half]) + gzip.compress(text[half:]))
    found = check()
    assert codes(found) == {"file-md5", "file-etag"}
    assert found.items == ITEMS


@pytest.mark.parametrize(
    ("number", "shown"), [("", r"0 \(none\)"), (f'"schema":{{"N":"{SCHEMA + 1}"}},', f"{SCHEMA + 1}")]
)
def test_rows_of_another_schema_are_one_finding_with_the_next_step(
    tmp_path: Path, root: str, check: Callable[[], Checked], number: str, shown: str
) -> None:
    """However many rows and files; a text that reads like the number is none."""
    decoy = b'"title":{"S":"\\"schema\\":{\\"N\\":\\"1\\"}'
    for path in (tmp_path / root / "data").iterdir():
        text = gzip.decompress(path.read_bytes()).replace(SCHEMA_TEXT + b",", number.encode())
        path.write_bytes(gzip.compress(text.replace(b'"title":{"S":"', decoy)))
    (finding,) = [one for one in check().findings if one.code == "other-schema"]
    assert re.search(rf"schema {shown}, and this release reads {SCHEMA}: use the release", finding.text)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "summary-invalid"),
        ("not json", "summary-invalid"),
        ("[]", "summary-invalid"),
        ('{"version": "2020-06-30"}', "summary-invalid"),
        ('{"itemCount": ' + "9" * 400 + "}", "summary-invalid"),
        ("[" * 20_000, "summary-invalid"),
        (" " * (SUMMARY_BYTES_MAX + 1), "manifest-too-large"),
    ],
    ids=["empty", "text", "list", "lacking", "number", "deep", "large"],
)
def test_a_hostile_summary_is_named_and_nothing_is_followed(
    tmp_path: Path, root: str, check: Callable[[], Checked], text: str, code: str
) -> None:
    """Its checksum is true: somebody wrote it so."""
    sign(tmp_path / root / SUMMARY, text)
    found = check()
    assert code in codes(found)
    assert found.export is None
    assert not found.good


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"dataFileS3Key": "/etc/passwd"}, "key-outside"),
        ({"dataFileS3Key": "{root}/data/../../../x.json.gz"}, "key-outside"),
        ({"dataFileS3Key": "{root}/data/a\u0000.json.gz"}, "key-outside"),
        ({"dataFileS3Key": "{root}/data/a.txt"}, "files-invalid"),
        ({"itemCount": -1}, "files-invalid"),
        ({"itemCount": 1.5}, "files-invalid"),
        ({"md5Checksum": "AAAA"}, "files-invalid"),
        ({"etag": "<script>"}, "files-invalid"),
    ],
)
def test_a_hostile_line_of_the_list_is_named_and_not_followed(
    tmp_path: Path, root: str, check: Callable[[], Checked], change: dict[str, Any], code: str
) -> None:
    """The other files are checked all the same."""
    path = tmp_path / root / FILES
    first, *others = path.read_text(encoding="utf-8").splitlines()
    entry = json.loads(first) | {
        name: value.replace("{root}", root) if isinstance(value, str) else value
        for name, value in change.items()
    }
    sign(path, "\n".join([json.dumps(entry), *others]) + "\n")
    found = check()
    assert code in codes(found)
    assert found.items == ITEMS - json.loads(first)["itemCount"]


def lines_of(folder: Path) -> list[bytes]:
    """The lines of the export's first file."""
    path = min((folder / "data").iterdir())
    return gzip.decompress(path.read_bytes()).splitlines(keepends=True)


def rewrite(folder: Path, *lines: bytes) -> None:
    """Write that file anew with a true checksum: what is wrong with it was so when it was exported."""
    path = min((folder / "data").iterdir())
    content = gzip.compress(b"".join(lines))
    path.write_bytes(content)
    entries = [json.loads(line) for line in (folder / FILES).read_text(encoding="utf-8").splitlines()]
    for entry in entries:
        if entry["dataFileS3Key"].endswith(path.name):
            etag = hashlib.md5(hashlib.md5(content).digest()).hexdigest()  # noqa: S324 - S3's own
            entry |= {"md5Checksum": md5_base64(content), "etag": f"{etag}-1"}
    sign(folder / FILES, "".join(json.dumps(entry) + "\n" for entry in entries))


SPOILT: dict[str, Callable[[bytes], bytes]] = {
    "cut": lambda line: line[: len(line) // 2] + b"\n",
    "only the beginning": lambda _: b'{"Item":\n',
    "garbage behind the beginning": lambda _: b'{"Item":garbage}\n',
    "two objects": lambda line: line.rstrip() * 2 + b"\n",
    "something besides": lambda line: line.rstrip()[:-1] + b',"Other":{}}\n',
    "no attributes": lambda _: b'{"Item":{}}\n',
    "no key": lambda line: line.replace(b'"alert_id"', b'"other_id"'),
    "an empty key": lambda line: re.sub(rb'("alert_id":\{"S":)"[^"]*"', rb'\1""', line),
    "a key of another type": lambda line: re.sub(rb'"alert_id":\{"S":"[^"]*"', b'"alert_id":{"N":"1"', line),
    "a value of no type": lambda line: line.replace(b'"severity":{"S"', b'"severity":{"T"'),
    "a value of two types": lambda line: line.replace(b'"severity":{', b'"severity":{"N":"1",'),
    "a bare value": lambda line: re.sub(rb'"severity":\{[^}]*\}', b'"severity":5', line),
    "no UTF-8": lambda line: line.replace(b'"title":{"S":"', b'"title":{"S":"\xff'),
    "an escape that is none": lambda line: line.replace(b'"title":{"S":"', b'"title":{"S":"\\q'),
    "NUL": lambda line: b"\0" * len(line.rstrip()) + b"\n",
    "blank": lambda _: b"\n",
}


@pytest.mark.parametrize("spoilt", SPOILT)
@pytest.mark.parametrize("at", [0, 1, -1])
def test_a_line_that_only_begins_as_an_item_is_named(
    tmp_path: Path, root: str, check: Callable[[], Checked], spoilt: str, at: int
) -> None:
    """Its checksum is true, and so is the count."""
    lines = lines_of(tmp_path / root)
    lines[at] = SPOILT[spoilt](lines[at])
    rewrite(tmp_path / root, *lines)
    [finding] = check().findings
    assert finding.code == "file-line"
    assert finding.text.startswith(f"line {at % len(lines) + 1} is none of an export: ")


def test_an_export_cut_at_any_byte_of_its_last_line_is_not_good(
    tmp_path: Path, root: str, check: Callable[[], Checked]
) -> None:
    """Only the line's own end may lack."""
    *lines, last = lines_of(tmp_path / root)
    for left in [*range(1, len(last) - 1, 13), len(last) - 2, len(last) - 1]:
        rewrite(tmp_path / root, *lines, last[:left])
        assert codes(check()) == ({"file-line"} if left < len(last) - 1 else set()), left


def test_a_file_cut_at_any_byte_is_named(tmp_path: Path, root: str, check: Callable[[], Checked]) -> None:
    """Though the manifest has the checksum of what is left: gzip says where it ends."""
    path = max((tmp_path / root / "data").iterdir(), key=lambda file: file.stat().st_size)
    content = path.read_bytes()
    for left in range(0, len(content), 97):
        path.write_bytes(content[:left])
        assert "file-truncated" in codes(check()), left
    path.write_bytes(content + b"\x1f\x8b")
    assert "file-truncated" in codes(check())
    path.write_bytes(content + b"garbage")
    assert "file-gzip" in codes(check())


def test_a_line_that_never_ends_is_named_and_not_kept(
    tmp_path: Path, root: str, check: Callable[[], Checked]
) -> None:
    """Eight megabytes of it are a few kilobytes of gzip."""
    path = min((tmp_path / root / "data").iterdir())
    path.write_bytes(gzip.compress(b'{"Item":{"alert_id":{"S":"' + b"a" * (8 << 20)))
    assert "file-line" in codes(check())


def test_an_export_without_items_is_good(tmp_path: Path) -> None:
    """Of an empty table."""
    root = synthesize(tmp_path, Recipe(items=0))
    found = check_export(FolderObjects(tmp_path), root, expected=Expected())
    assert (found.good, found.items) == (True, 0)


@pytest.mark.parametrize(("age", "good"), [(timedelta(hours=1), True), (timedelta(minutes=59), False)])
def test_an_export_may_be_as_old_as_asked(tmp_path: Path, root: str, age: timedelta, *, good: bool) -> None:
    """To the second."""
    now = datetime(2024, 11, 23, 4, 0, tzinfo=UTC)
    found = check_export(FolderObjects(tmp_path), root, expected=Expected(max_age=age, now=now))
    assert found.good is good


def test_a_key_that_leads_out_of_the_folder_is_not_fetched(tmp_path: Path) -> None:
    """Whatever a bucket lists."""
    (tmp_path / "secret").write_text("x", encoding="utf-8")
    bucket = FolderObjects(tmp_path / "bucket")
    with pytest.raises(ObjectMissingError):
        fetch(bucket, iter(["../secret"]), tmp_path / "copy")
    with pytest.raises(ObjectMissingError):
        bucket.open("../secret")


CHANGE: dict[str, Any] = {"Metadata": {"WriteTimestampMicros": {"N": "1"}}, "Keys": {"alert_id": {"S": "a"}}}


@pytest.mark.parametrize(
    ("change", "good"),
    [
        (CHANGE, True),
        (CHANGE | {"NewImage": {"alert_id": {"S": "a"}, "schema": {"N": str(SCHEMA)}}}, True),
        ({"Metadata": CHANGE["Metadata"]}, False),
        (CHANGE | {"Keys": {}}, False),
        (CHANGE | {"Metadata": {}}, False),
        (CHANGE | {"Metadata": {"WriteTimestampMicros": {"N": "soon"}}}, False),
    ],
    ids=["a deletion", "an image", "no key", "an empty key", "no time", "no number"],
)
def test_a_change_has_its_key_and_its_time(
    tmp_path: Path, root: str, change: dict[str, object], *, good: bool
) -> None:
    """Each of an incremental export's lines is read: one without them would hide other items."""
    summary = json.loads((tmp_path / root / SUMMARY).read_text(encoding="utf-8"))
    del summary["exportTime"]
    times = {"exportFromTime": "2024-11-23T02:00:00Z", "exportToTime": "2024-11-23T03:00:00Z"}
    content = gzip.compress(f"{json.dumps(CHANGE)}\n{json.dumps(change)}\n".encode())
    key = f"{root.rpartition('/')[0]}/data/a.json.gz"
    (tmp_path / key).parent.mkdir()
    (tmp_path / key).write_bytes(content)
    entry = {"dataFileS3Key": key, "etag": "0" * 32, "itemCount": 2, "md5Checksum": md5_base64(content)}
    sign(tmp_path / root / SUMMARY, json.dumps(summary | times | {"itemCount": 2, "s3SseAlgorithm": None}))
    sign(tmp_path / root / FILES, json.dumps(entry) + "\n")
    shutil.rmtree(tmp_path / root / "data")
    found = check_export(FolderObjects(tmp_path), root, expected=Expected())
    assert codes(found) == (set() if good else {"file-line"})
