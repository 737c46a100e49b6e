"""The small parts of the runtime: scopes, environments, checkpoints, records, the list of deviations."""

import random
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp.test_utils import make_mocked_request

from emulator.aws.host import save, without_messages
from emulator.client import Emulator
from emulator.deviations import DEVIATIONS
from emulator.errors import AlreadyRunningError, EmulatorError
from emulator.ports import BELOW_EPHEMERAL, free_port
from emulator.supervisor import runfile
from emulator.supervisor.edge import Scope, scope_of
from emulator.supervisor.process_groups import log_tail
from emulator.supervisor.processes import HostSpec, host_environment

SIGNED = "AWS4-HMAC-SHA256 Credential=AKIA/20261123/{}/aws4_request, SignedHeaders=host, Signature=0"


@pytest.mark.parametrize(
    ("headers", "path", "scope"),
    [
        ({"Authorization": SIGNED.format("us-west-2/sqs")}, "/", Scope("us-west-2", "sqs")),
        (
            {},
            "/b/k?X-Amz-Credential=AKIA%2F20261123%2Fus-east-1%2Fs3%2Faws4_request",
            Scope("us-east-1", "s3"),
        ),
        ({}, "/", None),
        ({"Authorization": "Bearer x"}, "/", None),
        ({"Authorization": "AWS AKIA:signature"}, "/", None),
        ({"Authorization": "AWS4-HMAC-SHA256 Credential=AKIA/2026/us-east-1/sqs/aws4_request"}, "/", None),
    ],
)
def test_scope_is_read_from_header_or_query(headers: dict[str, str], path: str, scope: Scope | None) -> None:
    """SigV4 in both places; anything else has none."""
    assert scope_of(make_mocked_request("GET", path, headers=headers)) == scope


def test_host_gets_only_harmless_variables_of_the_person(tmp_path: Path) -> None:
    """An allow list, so that a new kind of key is not let through."""
    spec = HostSpec(
        name="us-east-1", instance_id="i", region="us-east-1", port=20_000, folder=tmp_path,
        log=tmp_path / "log", lambda_python=tmp_path / "python",
        aws_faults=tmp_path / "aws-faults", aws_capacity=tmp_path / "aws-capacity",
        fault_log=tmp_path / "fault-log",
        environment={"HTTP_PROXY": "http://127.0.0.1:1"},
    )  # fmt: skip
    person = {"PATH": "/bin", "AWS_SECRET_ACCESS_KEY": "s", "ANTHROPIC_API_KEY": "s", "NEW_TOKEN": "s"}
    made = host_environment(spec, {**person, "HTTP_PROXY": "http://proxy.example"})
    assert made["PATH"] == "/bin"
    assert made["HTTP_PROXY"] == "http://127.0.0.1:1", "the region's own"
    assert "s" not in made.values()
    assert made["BIND_HOST"] == "127.0.0.1"
    inside = {name: value for name, value in made.items() if name in {"TMPDIR", "STATE_DIR", "S3_DATA_DIR"}}
    assert all(value.startswith(str(tmp_path)) for value in inside.values())


def test_checkpoint_names_what_it_could_not_save(tmp_path: Path) -> None:
    """A state that never holds still, one that cannot be written; secrets are not tried."""

    def restless() -> Any:
        raise RuntimeError("dictionary changed size during iteration")

    services = {"lambda": restless, "kms": lambda: {"unwritable": object()}, "secretsmanager": restless}
    assert save(services, tmp_path) == ["lambda", "kms"]
    assert list(tmp_path.iterdir()) == []


def test_checkpoint_retries_a_state_that_changed_while_it_was_copied(tmp_path: Path) -> None:
    """A busy region is saved too."""
    tries: list[int] = []

    def busy() -> Any:
        tries.append(1)
        if len(tries) < 3:
            raise RuntimeError("dictionary changed size during iteration")

    assert save({"lambda": busy}, tmp_path) == []
    assert len(tries) == 3


def test_checkpointed_queues_are_empty() -> None:
    """And nothing else of them is touched."""
    place = ("000000000000", "us-east-1", "url")
    store = SimpleNamespace(_data={place: {"attributes": {"a": "b"}, "messages": ["m"]}})
    without_messages({"queues": store, "queue_name_to_url": {}})
    assert vars(store) == {"_data": {place: {"attributes": {"a": "b"}, "messages": []}}}


def test_folder_has_one_holder(tmp_path: Path) -> None:
    """The second is told; after the first nobody holds it."""
    assert not runfile.is_held(tmp_path)
    with runfile.hold(tmp_path):
        assert runfile.is_held(tmp_path)
        with pytest.raises(AlreadyRunningError, match="stop it first"), runfile.hold(tmp_path):
            pass
    assert not runfile.is_held(tmp_path)


def test_what_can_be_no_run_folder_is_refused_in_one_line(tmp_path: Path) -> None:
    """A file, or a place where nobody may make a folder: said by whatever looks there, or starts there."""
    file = tmp_path / "file"
    file.touch()
    for look in (runfile.is_held, runfile.read, Emulator.attach):
        with pytest.raises(EmulatorError, match="file cannot be a run folder: Not a directory; name"):
            look(file)
    for folder in (file, Path("/proc/x")):
        with pytest.raises(EmulatorError, match=r"cannot be a run folder: [^\n]+; name a folder"):
            Emulator.start(folder, regions=("us-east-1",))


def test_a_folder_of_somebody_elses_is_no_run_folder(tmp_path: Path) -> None:
    """It would be closed to others at the start, and removed in the end."""
    (tmp_path / "thesis.txt").touch()
    before = tmp_path.stat().st_mode
    with pytest.raises(EmulatorError, match=r"holds other things, such as thesis.txt; name a new"):
        Emulator.start(tmp_path, regions=("us-east-1",))
    assert tmp_path.stat().st_mode == before
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize("content", [b"", b"{", b"{}", b"\xff"])
def test_record_that_cannot_be_read_counts_as_none(tmp_path: Path, content: bytes) -> None:
    """And is removed with the leftovers."""
    (tmp_path / runfile.RECORD).write_bytes(content)
    assert runfile.read(tmp_path) is None
    assert runfile.end_leftovers(tmp_path) == []
    assert not (tmp_path / runfile.RECORD).exists()


def test_free_ports_are_below_those_of_outgoing_connections() -> None:
    """So that a region that is started again finds its port free."""
    assert all(free_port() in BELOW_EPHEMERAL for _ in range(20))


def test_port_is_given_out_once_although_nothing_listens_on_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process listens on its port only a second later, and nobody may take it before that."""
    monkeypatch.setattr(random, "sample", lambda ports, tries: list(ports)[:tries])
    assert len({free_port() for _ in range(20)}) == 20


def test_log_tail_is_short(tmp_path: Path) -> None:
    """Of a long log the last lines; of none, that there is none."""
    log = tmp_path / "x.log"
    assert "no log" in log_tail(log)
    log.write_text("\n".join(f"line {n}" for n in range(100)))
    assert "line 99" in log_tail(log)
    assert "line 80" not in log_tail(log)


def test_every_deviation_says_what_and_why_once() -> None:
    """The list is shown to people."""
    assert len({(one.service, one.what) for one in DEVIATIONS}) == len(DEVIATIONS)
    assert all(one.what and one.matters for one in DEVIATIONS)
