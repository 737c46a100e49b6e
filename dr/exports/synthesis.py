"""Exports that never were: realistic ledger items in DynamoDB's export layout, for measurements and tests.

`benchmarks.restore` makes two of a million items each; unit tests make small ones. Items are filled into a
text, not encoded one by one: a million takes seconds instead of minutes.
"""

import base64
import hashlib
import random
import zlib
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import IO, Final

import msgspec

from dr.exports.manifest import FILES, SUMMARY, md5_base64
from topology.alerts import SCHEMA, Severity

ACCOUNT: Final = "000000000000"
BUCKET: Final = "mcp-responder-backups"
TABLE_ARN: Final = f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/mcp-incident-responder-prod-alerts"
PREFIX: Final = "dynamodb-exports/2024-11-23"

_FIRST_SECOND: Final = 1_795_000_000
_ITEMS_AT_ONCE: Final = 2_000
_LEVEL: Final = 1
"""Of the compression: what is measured is reading."""

_WORDS: Final = tuple(
    "connection refused timeout upstream pool exhausted latency above objective queue depth growing disk "  # noqa: SIM905 - it reads as text
    "lag checkpoint failed certificate expires memory pressure evicted pods retry budget spent cache misses "
    "throttled requests error rate deployment rolled back health check failing node not ready".split()
)
_ITEM: Final = (
    '{{"Item":{{"alert_id":{{"S":"{id}"}},"status":{{"S":"NOTIFIED"}},"severity":{{"S":"{severity}"}},'
    '"timestamp":{{"N":"{at_s}"}},"created_at":{{"S":"2024-11-23T{hour:02d}:{minute:02d}:00.{ms:03d}Z"}},'
    '"accepted_at_ms":{{"N":"{at_s}{ms:03d}"}},"notified_at_ms":{{"N":"{end_s}{ms:03d}"}},'
    '"region":{{"S":"us-east-1"}},"owner":{{"S":"us-east-1"}},"epoch":{{"N":"0"}},'
    '"format":{{"S":"alertmanager"}},"source":{{"S":"alertmanager"}},"title":{{"S":"{title}"}},'
    '"message":{{"S":"{message}"}},"component":{{"S":"service-{service}"}},"host":{{"S":"ip-10-0-1-{host}"}},'
    '"link":{{"S":"https://grafana.example.com/d/{identity}"}},'
    '"labels":{{"M":{{"alertname":{{"S":"Alert{host}"}},'
    '"namespace":{{"S":"ns-{service}"}},"pod":{{"S":"service-{service}-{host}"}},"job":{{"S":"kubelet"}}}}}},'
    '"identity":{{"S":"{identity}"}},"attempts":{{"N":"1"}},"schema":{{"N":"{schema}"}},"analysis":{{"M":{{"summary":{{"S":"{summary}"}},'
    '"probable_cause":{{"S":"{cause}"}},"actions":{{"L":[{{"S":"{action}"}},{{"S":"{other_action}"}}]}},'
    '"confidence":{{"N":"0.{ms}"}},"model":{{"S":"claude-sonnet-5-5"}},"cached":{{"BOOL":true}}}}}},'
    '"expires_at":{{"N":"{expires_s}"}}}}}}\n'
)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """`items` rows in `files` files, without those numbered in `left_out`, with the titles of `retitled`.

    Another `variant` has other files and another order of rows. The row `written_otherwise` has another order
    of attributes and another form of a number, and means the same. `schema`: the number of the rows' form.
    """

    items: int
    files: int = 4
    variant: int = 0
    left_out: frozenset[int] = frozenset()
    retitled: tuple[tuple[int, str], ...] = ()
    written_otherwise: int | None = None
    schema: int = SCHEMA

    @property
    def export_id(self) -> str:
        """Of the form that DynamoDB gives: epoch milliseconds and eight hex digits."""
        return f"0{_FIRST_SECOND}000-{self.variant:08x}"

    @property
    def root(self) -> str:
        """The key of the export's folder."""
        return f"{PREFIX}/AWSDynamoDB/{self.export_id}"


@dataclass(frozen=True)
class _File:
    name: str
    etag: str
    items: int
    md5: str


def alert_id(number: int) -> str:
    """The key of a row."""
    return f"a{_hex(str(number))}"


def synthesize(folder: Path, recipe: Recipe, *, workers: int = 1) -> str:
    """Write an export under `folder`, which stands for the bucket; returns the key of the export's folder."""
    data = folder / recipe.root / "data"
    data.mkdir(parents=True)
    shares = range(recipe.files)
    if workers == 1:
        files = [_write_data(data, recipe, share) for share in shares]
    else:
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            files = list(pool.map(_write_data, [data] * len(shares), [recipe] * len(shares), shares))
    write_manifests(folder, recipe.root, files)
    return recipe.root


def write_manifests(folder: Path, root: str, files: Sequence[_File]) -> None:
    """The two manifests and their checksums."""
    at = "2024-11-23T03:00:00.000Z"
    summary = {
        "version": "2020-06-30",
        "exportArn": f"{TABLE_ARN}/export/{root.rpartition('/')[2]}",
        "startTime": at,
        "endTime": "2024-11-23T03:05:00.000Z",
        "tableArn": TABLE_ARN,
        "tableId": "12345678-aaaa-bbbb-cccc-1234567890ab",
        "exportTime": at,
        "s3Bucket": BUCKET,
        "s3Prefix": PREFIX,
        "s3SseAlgorithm": "AES256",
        "s3SseKmsKeyId": None,
        "manifestFilesS3Key": f"{root}/{FILES}",
        "billedSizeBytes": sum(file.items for file in files) * 1_200,
        "itemCount": sum(file.items for file in files),
        "outputFormat": "DYNAMODB_JSON",
    }
    lines = [
        {
            "itemCount": file.items,
            "md5Checksum": file.md5,
            "etag": file.etag,
            "dataFileS3Key": f"{root}/data/{file.name}",
        }
        for file in files
    ]
    (folder / root / "_started").write_bytes(b"")
    for name, content in (
        (SUMMARY, msgspec.json.encode(summary)),
        (FILES, msgspec.json.Encoder().encode_lines(lines)),
    ):
        (folder / root / name).write_bytes(content)
        (folder / root / name).with_suffix(".md5").write_text(md5_base64(content), encoding="ascii")


def _write_data(data: Path, recipe: Recipe, share: int) -> _File:
    """One file: the rows whose turn it is, in an order of the variant's own."""
    numbers = [number for number in range(share, recipe.items, recipe.files) if number not in recipe.left_out]
    if recipe.variant:
        random.Random(share).shuffle(numbers)  # noqa: S311 - an order, not a secret
    sentences, titles = _sentences(), dict(recipe.retitled)
    name = f"{_hex(f'{recipe.variant}/{share}')[:26]}.json.gz"
    gzip, md5 = zlib.compressobj(_LEVEL, zlib.DEFLATED, 31), hashlib.md5(usedforsecurity=False)
    with (data / name).open("wb") as out:
        for start in range(0, len(numbers), _ITEMS_AT_ONCE):
            rows = "".join(
                _row(
                    number,
                    sentences,
                    titles.get(number),
                    schema=recipe.schema,
                    otherwise=number == recipe.written_otherwise,
                )
                for number in numbers[start : start + _ITEMS_AT_ONCE]
            )
            _write(gzip.compress(rows.encode()), out, md5)
        _write(gzip.flush(), out, md5)
    digest = md5.digest()
    return _File(
        name=name,
        etag=f"{hashlib.md5(digest, usedforsecurity=False).hexdigest()}-1",
        items=len(numbers),
        md5=base64.b64encode(digest).decode(),
    )


def _write(content: bytes, out: IO[bytes], md5: "hashlib._Hash") -> None:
    out.write(content)
    md5.update(content)


def _row(number: int, sentences: Sequence[str], title: str | None, *, schema: int, otherwise: bool) -> str:
    identity = _hex(str(number))
    seed, at_s, count = int(identity[:12], 16), _FIRST_SECOND + number // 3, len(sentences)
    text = _ITEM.format(
        id=f"a{identity}",
        severity=list(Severity)[seed % 5],
        at_s=at_s,
        end_s=at_s + 1,
        expires_s=at_s + 864_000,
        hour=seed % 24,
        minute=seed % 60,
        ms=100 + seed % 899,
        title=title or sentences[seed % count][:60],
        message=sentences[(seed >> 3) % count],
        service=seed % 300,
        host=seed % 250,
        identity=identity,
        schema=schema,
        summary=sentences[(seed >> 5) % count],
        cause=sentences[(seed >> 7) % count],
        action=sentences[(seed >> 9) % count][:80],
        other_action=sentences[(seed >> 11) % count][:80],
    )
    if otherwise:
        item = msgspec.json.decode(text)["Item"]
        item["attempts"] = {"N": "1.0"}
        text = msgspec.json.encode({"Item": dict(reversed(item.items()))}).decode() + "\n"
    return text


@cache
def _sentences() -> tuple[str, ...]:
    """The same ones in every process."""
    chance = random.Random(1)  # noqa: S311 - words, not secrets
    return tuple(" ".join(chance.choices(_WORDS, k=chance.randint(8, 30))) for _ in range(2_000))


def _hex(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
