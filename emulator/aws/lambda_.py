"""Lambda's concurrency and log tails as on AWS, and packages that are unpacked once."""

import hashlib
import shutil
import tempfile
import threading
import time
import types
import uuid
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from ministack.core import lambda_runtime
from ministack.services import lambda_svc

from emulator.lambda_host.invocations import TIMED_OUT, Failure, Outcome, report_line

DIGEST_DIGITS: Final = 32
"""Length of a package's folder name."""

_started: Final = threading.local()
"""`ms`: how long the worker took to start that this thread's invocation waited for; None without one."""


def share_reserved_concurrency() -> None:
    """Have a function's reserved concurrency hold for its versions and aliases too, as on AWS.

    ministack reads it from the record that is invoked, and a version's record has none: everything here
    is invoked through an alias, so a burst would start a worker for each request.
    https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html
    """
    of_record = lambda_svc._reserved_concurrency  # noqa: SLF001 - the one place that decides it

    def of_function(record: dict[str, Any], config: dict[str, Any]) -> int | None:
        function = lambda_svc._functions.get(config.get("FunctionName"))  # noqa: SLF001 - where it is stored
        reserved: int | None = of_record(function or record, config)
        return reserved

    lambda_svc._reserved_concurrency = of_function  # noqa: SLF001 - as above


def report_in_log_tails() -> None:
    """Have the log that Invoke answers with end in REPORT, as on AWS, with how long a worker took to start.

    ministack writes REPORT to the log group only, and counts the start of a worker as a part of the duration.
    https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html#API_Invoke_RequestParameters
    """
    spawn = lambda_runtime.Worker._spawn  # noqa: SLF001 - where a worker's INIT is
    execute = lambda_svc._execute_function_with_config_scope  # noqa: SLF001 - what Invoke calls by this name

    def timed_spawn(worker: Any) -> None:
        begun = time.monotonic()
        spawn(worker)
        _started.ms = (time.monotonic() - begun) * 1000

    def reporting(record: dict[str, Any], event: Any) -> dict[str, Any]:
        result, duration_ms, init_ms = timed(lambda: execute(record, event))
        body = result.get("body")
        timed_out = result.get("error") and isinstance(body, dict) and body.get("errorType") == TIMED_OUT
        report = report_line(
            request_id=str(uuid.uuid4()),
            duration_ms=duration_ms,
            init_ms=init_ms,
            memory_mb=record["config"]["MemorySize"],
            max_memory_mb=0,
            failure=Failure(outcome=Outcome.TIMEOUT, error_type=TIMED_OUT, message="") if timed_out else None,
        )
        result["log"] = f"{result.get('log', '')}\n{report}\n"
        return result

    lambda_runtime.Worker._spawn = timed_spawn  # noqa: SLF001 - as above
    lambda_svc._execute_function_with_config_scope = reporting  # noqa: SLF001 - as above


def timed(invoke: Callable[[], dict[str, Any]]) -> tuple[dict[str, Any], float, float | None]:
    """Call a function; return its result, its duration, and how long its worker took to start, both in ms.

    The duration has no start of a worker in it, as on AWS. The start is None where a worker was there.
    """
    _started.ms, begun = None, time.monotonic()
    result = invoke()
    init_ms: float | None = _started.ms
    return result, (time.monotonic() - begun) * 1000 - (init_ms or 0.0), init_ms


def share_unpacked_packages(folder: Path) -> None:
    """Have the workers of one package share it unpacked in `folder`, each through a symbolic link.

    ministack unpacks a package for every worker: 7,000 files and seconds of processor time for the largest of
    ours, at each cold start, and again to remove them. It writes the archive for every worker too, up to
    15 MB, which nobody reads again: it is removed.
    """

    class SharedZip(zipfile.ZipFile):
        def extractall(self, path: Any = None, *_: Any, **__: Any) -> None:
            package = Path(str(self.filename))
            shared = folder / hashlib.sha256(package.read_bytes()).hexdigest()[:DIGEST_DIGITS]
            if not shared.exists():
                self._unpack_to(shared)
            Path(path).rmdir()
            Path(path).symlink_to(shared, target_is_directory=True)
            package.unlink()

        def _unpack_to(self, shared: Path) -> None:
            """Unpack in one step, since other threads and the other region's process may do the same."""
            folder.mkdir(parents=True, exist_ok=True)
            draft = Path(tempfile.mkdtemp(dir=folder))
            super().extractall(draft)
            try:
                draft.rename(shared)
            except OSError:
                if not shared.exists():
                    raise
                shutil.rmtree(draft)

    shared_zip = types.SimpleNamespace(**vars(zipfile))
    shared_zip.ZipFile = SharedZip
    lambda_runtime.zipfile = shared_zip
