"""A local stack that runs for long does not fill the disk with what its Lambda workers leave."""

import io
import tempfile
import zipfile
from pathlib import Path

import pytest
from ministack.core import lambda_runtime

from emulator.aws.lambda_ import share_unpacked_packages
from emulator.supervisor.processes import HostSpec, make_folders

PACKAGE_BYTES = 500_000
WORKERS = 4
KEPT_BYTES_MAX = 20_000
"""Of a worker, besides the shared package: the script that ministack runs it by."""


def package() -> bytes:
    """A Lambda package that is as large packed as unpacked."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("handler.py", "def handle(event, context):\n    return {}\n")
        archive.writestr("data.bin", bytes(PACKAGE_BYTES))
    return content.getvalue()


def size(folder: Path) -> int:
    """The bytes of all files in `folder`; what a link points to counts where it lies."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def test_workers_of_one_package_take_no_room_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither unpacked nor as the archive that ministack writes for each."""
    monkeypatch.setattr(lambda_runtime, "zipfile", zipfile)
    workers_dir = tmp_path / "tmp"
    workers_dir.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(workers_dir))
    share_unpacked_packages(tmp_path / "packages")
    config = {
        "Runtime": "python3.12",
        "Handler": "handler.handle",
        "FunctionArn": "arn:aws:lambda:us-east-1:000000000000:function:f",
    }
    workers = [lambda_runtime.Worker("f", config, package()) for _ in range(WORKERS)]
    try:
        for worker in workers:
            assert worker.invoke({}, "request-1")["status"] == "ok"
        assert size(workers_dir) < WORKERS * KEPT_BYTES_MAX
        assert size(tmp_path / "packages") >= PACKAGE_BYTES
    finally:
        lambda_runtime.kill_workers(workers)


def test_a_host_starts_without_what_a_killed_one_left_in_its_temporary_folder(tmp_path: Path) -> None:
    """Its Lambda workers' folders; what it saved is kept."""
    spec = HostSpec(
        name="us-east-1", instance_id="i", region="us-east-1", port=20_000, folder=tmp_path / "us-east-1",
        log=tmp_path / "log", lambda_python=tmp_path / "python",
        aws_faults=tmp_path / "aws-faults", aws_capacity=tmp_path / "aws-capacity",
        fault_log=tmp_path / "fault-log",
    )  # fmt: skip
    make_folders(spec)
    for name in ("tmp/ministack-lambda-f-1/_worker.py", "state/lambda.json", "s3/bucket/key"):
        (spec.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (spec.folder / name).touch()
    make_folders(spec)
    assert sorted(str(path.relative_to(spec.folder)) for path in spec.folder.rglob("*")) == [
        "s3", "s3/bucket", "s3/bucket/key", "state", "state/lambda.json", "tmp",
    ]  # fmt: skip
