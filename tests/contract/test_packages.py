"""The Lambda packages: same bytes for the same inputs, everything a handler needs, nothing it does not."""

import gzip
import json
import shutil
import subprocess
import sys
import zipfile
from fnmatch import fnmatch
from pathlib import Path

import botocore
import pytest

from handlers.settings import (
    AnalysisSettings,
    DistributionSettings,
    ReceptionSettings,
    RecoverySettings,
    variable,
)
from lambda_packages.build import (
    HOST,
    LAMBDA,
    PackageError,
    Target,
    build_package,
    build_packages,
    handler_sources,
    prune,
)
from lambda_packages.service_models import ServiceModelError, prune_service_models
from topology.functions import ANALYSIS, DISTRIBUTION, FUNCTIONS, RECEPTION, RECOVERY, FunctionSpec

AARCH64 = 183
"""e_machine of an ELF file; https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.eheader.html (EM_AARCH64)."""

PYTHON_313_MAGIC = 3571
"""Byte code magic number of every 3.13 release; importlib/_bootstrap_external.py."""

EVERY_SETTINGS = (ReceptionSettings, AnalysisSettings, DistributionSettings, RecoverySettings)
ENVIRONMENT = {
    **{variable(field): "1" for settings in EVERY_SETTINGS for field in settings.deployed_fields()},
    "ALERT_SOURCES": "",
    "ALERT_ROUTES": "",
    "ALERT_SILENCES": "",
    variable("slack_edits"): "false",
    "HEARTBEATS": "",
    variable("redact_emails"): "true",
    "AWS_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
}
"""What Lambda would set: entry points read their settings at their cold start. `1` is a number and a text."""

IMPORT_ALONE = """
import sys
package = sys.argv[1]
sys.path[:] = [package, *(p for p in sys.path if 'site-packages' not in p)]
__import__(sys.argv[2])
ours = {m.__file__ for m in list(sys.modules.values()) if getattr(m, '__file__', None)}
outside = sorted(f for f in ours if 'site-packages' in f)
assert not outside, outside
loaded = sorted({m.partition('.')[0] for m in sys.modules})
print(' '.join(loaded))
"""


@pytest.fixture(scope="session")
def packages() -> dict[FunctionSpec, Path]:
    """Every package for this machine's interpreter; built once, kept until a source changes."""
    return dict(build_packages(HOST))


def names_in(package: Path) -> set[str]:
    """The files of a package."""
    with zipfile.ZipFile(package) as archive:
        return set(archive.namelist())


@pytest.mark.parametrize("spec", FUNCTIONS, ids=lambda spec: spec.key)
def test_each_handler_is_imported_from_its_own_package_alone(
    packages: dict[FunctionSpec, Path], tmp_path: Path, spec: FunctionSpec
) -> None:
    """An interpreter with nothing but the standard library and the package imports the entry point."""
    with zipfile.ZipFile(packages[spec]) as archive:
        archive.extractall(tmp_path)
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", IMPORT_ALONE, str(tmp_path), spec.handler.rpartition(".")[0]],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=ENVIRONMENT,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    loaded = set(done.stdout.split())
    assert "anthropic" not in loaded, "the slowest import waits until the model is asked"
    assert ("slack_sdk" in loaded) == (spec == DISTRIBUTION)
    assert not loaded & {"boto3", "asyncio", "s3transfer"}, "each is a tenth of a cold start"


ASK_THE_MODEL = """
import sys, types
sys.path[:] = [sys.argv[1], *(p for p in sys.path if 'site-packages' not in p)]
from handlers.adapters.claude import ClaudeAnalyst
from handlers.domain.alert import Alert
from handlers.domain.ports import AnalystBusyError
texts = dict.fromkeys(('alert_id', 'created_at', 'region', 'owner', 'format', 'identity', 'raw'), 'x')
alert = Alert(status='RECEIVED', severity='HIGH', timestamp=1, accepted_at_ms=1, schema=1, source='s',
              title='t', message='m', **texts)
try:
    ClaudeAnalyst(types.SimpleNamespace(value=lambda fresh: 'sk-none'), model='m').analyse(alert, timeout_s=5)
except AnalystBusyError as error:
    print(error)
"""


def test_model_can_be_asked_from_the_package_alone(
    packages: dict[FunctionSpec, Path], tmp_path: Path
) -> None:
    """What is loaded on a miss of the cache is there too: the call fails only since nobody listens."""
    with zipfile.ZipFile(packages[ANALYSIS]) as archive:
        archive.extractall(tmp_path)
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", ASK_THE_MODEL, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=ENVIRONMENT | {"ANTHROPIC_BASE_URL": "http://127.0.0.1:9"},
    )
    assert done.stdout == "Claude was not reached: APIConnectionError\n", done.stderr[-2000:]


@pytest.mark.parametrize("spec", FUNCTIONS, ids=lambda spec: spec.key)
def test_a_package_holds_only_what_its_function_needs(
    packages: dict[FunctionSpec, Path], spec: FunctionSpec
) -> None:
    """No tests, no tools, no other function's entry point, no AWS service that is not called."""
    names = names_in(packages[spec])
    tops = {name.partition("/")[0] for name in names}
    assert not tops & {"components", "emulator", "ops", "tests", "bin", "pip", "pulumi"}
    assert not names & {"topology/config.py", "topology/config_keys.py"}
    entries = {f"handlers/{other.key}.py" for other in FUNCTIONS}
    assert names & entries == {f"handlers/{spec.key}.py"}
    services = {
        name.split("/")[2] for name in names if name.startswith("botocore/data/") and name.count("/") > 2
    }
    second_way = {"sns"} if spec == RECOVERY else set()
    assert services == {"dynamodb", "sqs", "secretsmanager"} | second_way
    assert ("anthropic" in tops) == (spec == ANALYSIS)


def test_operations_are_those_that_the_sources_call(packages: dict[FunctionSpec, Path]) -> None:
    """A client loads all that its service's model has, so the rest of it costs each cold start."""
    with zipfile.ZipFile(packages[RECEPTION]) as archive:
        (name,) = (
            name for name in archive.namelist() if fnmatch(name, "botocore/data/sqs/*/service-2.json.gz")
        )
        model = json.loads(gzip.decompress(archive.read(name)))
    assert list(model["operations"]) == ["SendMessageBatch"]
    assert "SendMessageBatchRequestEntry" in model["shapes"]
    assert "CreateQueueRequest" not in model["shapes"]


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("client('sqz').send_message()", "describes no service 'sqz'"),
        ("client('sqs').send_massage()", "a client of sqs is made and never called"),
    ],
)
def test_call_that_botocore_does_not_know_fails_the_build(tmp_path: Path, source: str, reason: str) -> None:
    """Rather than a function's first alert."""
    data = tmp_path / "data"
    shutil.copytree(Path(botocore.__file__).parent / "data" / "sqs", data / "sqs")
    (tmp_path / "code.py").write_text(source)
    with pytest.raises(ServiceModelError, match=reason):
        prune_service_models(data, [tmp_path / "code.py"])


def test_pattern_that_matches_nothing_fails_the_build(tmp_path: Path) -> None:
    """What a dependency renames would otherwise be shipped again without notice."""
    (tmp_path / "dateutil" / "zoneinfo").mkdir(parents=True)
    with pytest.raises(PackageError, match=r"dateutil/zoneinfo/\*\.tar\.gz is in no dependency any more"):
        prune(tmp_path)


def test_readme_of_a_dependency_is_not_shipped(tmp_path: Path) -> None:
    """Its name and version stay, by which a library is asked for them."""
    metadata = tmp_path / "lib-1.0.dist-info" / "METADATA"
    metadata.parent.mkdir()
    metadata.write_text("Metadata-Version: 2.1\nName: lib\nVersion: 1.0\n\n# Lib\n\nA library.\n")
    prune(tmp_path)
    assert metadata.read_text() == "Metadata-Version: 2.1\nName: lib\nVersion: 1.0\n"


def test_the_same_inputs_give_the_same_bytes(packages: dict[FunctionSpec, Path], tmp_path: Path) -> None:
    """A rebuild elsewhere is byte for byte the same, so an unchanged function is not deployed again.

    Whoever waits for it is told of what is built, and of nothing else.
    """
    told: list[tuple[FunctionSpec, Target]] = []
    again = build_package(RECOVERY, HOST, folder=tmp_path, on_build=lambda *what: told.append(what))
    build_package(RECOVERY, HOST, folder=tmp_path, on_build=lambda *what: told.append(what))
    assert told == [(RECOVERY, HOST)]
    assert again.name == packages[RECOVERY].name
    assert again.read_bytes() == packages[RECOVERY].read_bytes()


def test_entries_carry_fixed_times_and_modes(packages: dict[FunctionSpec, Path]) -> None:
    """A time or a mode of the building machine would change the bytes."""
    with zipfile.ZipFile(packages[RECEPTION]) as archive:
        assert {(entry.date_time, entry.external_attr >> 16) for entry in archive.infolist()} == {
            ((1980, 1, 1, 0, 0, 0), 0o644)
        }


def test_the_package_for_lambda_is_arm64_with_byte_code_of_its_python(tmp_path: Path) -> None:
    """The same code builds for Lambda; wheels and byte code are of the target, not of this machine."""
    try:
        LAMBDA.interpreter()
    except PackageError as error:
        pytest.skip(str(error))
    package = build_package(RECOVERY, LAMBDA, folder=tmp_path)
    with zipfile.ZipFile(package) as archive:
        libraries = [name for name in archive.namelist() if name.endswith(".so")]
        assert libraries
        for library in libraries:
            header = archive.read(library)[:20]
            assert header[:4] == b"\x7fELF"
            assert int.from_bytes(header[18:20], "little") == AARCH64, library
        code = archive.read("handlers/__pycache__/recovery.cpython-313.pyc")
    assert int.from_bytes(code[:2], "little") == PYTHON_313_MAGIC
    assert code[4] & 0b11 == 0b01, "unchecked-hash: valid whatever the file's time"


def test_a_missing_python_is_one_line_with_the_next_step() -> None:
    """The person who deploys is told what to install."""
    with pytest.raises(PackageError, match=r"need Python 3\.99: .*; install python3\.99 and put it on PATH"):
        Target("lambda-future", "3.99", "aarch64-manylinux2014").interpreter()


def test_a_function_ships_the_modules_it_imports_and_the_formats_it_discovers() -> None:
    """Formats are found while running, so the whole folder goes along with reception, and only there."""
    formats = Path("handlers/domain/formats")
    shipped = {spec: {path.as_posix() for path in handler_sources(spec)} for spec in FUNCTIONS}
    assert any(path.endswith(f"{formats.as_posix()}/alertmanager.py") for path in shipped[RECEPTION])
    assert not any(formats.as_posix() in path for path in shipped[RECOVERY])
