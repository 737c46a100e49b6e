"""The state file: what it keeps, who may read it, and what makes it useless."""

import json
import stat
from pathlib import Path

import pytest

from emulator.pulumi.state import Record, State, StateError

RECORD = Record("aws:sqs/queue:Queue", "http://q", "us-east-1", {"name": "q"}, {"arn": "arn:q"})


def saved(path: Path) -> State:
    """A state of one resource, on disk."""
    state = State.load(path, stack="local", instance_id="one")
    state.put("urn:q", RECORD)
    return state


def test_what_is_put_is_found_again(tmp_path: Path) -> None:
    """A later run sees the resources, the salt and the instance of the run that wrote them."""
    path = tmp_path / "folder" / "state.json"
    state = saved(path)
    found = State.load(path, stack="local", instance_id="two")
    assert found.resources == {"urn:q": RECORD}
    assert (found.salt, found.instance_id) == (state.salt, "one")


def test_only_its_owner_may_read_it(tmp_path: Path) -> None:
    """Mode 0600, whatever the umask, and no half-written file beside it."""
    saved(tmp_path / "state.json")
    assert stat.S_IMODE((tmp_path / "state.json").stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["state.json"]


def test_the_newest_is_last(tmp_path: Path) -> None:
    """Deleting in reverse order takes dependants first; what is put again depends on what is there."""
    state = saved(tmp_path / "state.json")
    state.put("urn:other", RECORD)
    state.put("urn:q", RECORD)
    assert list(state.resources) == ["urn:other", "urn:q"]


def test_a_retired_resource_is_kept_until_it_is_forgotten(tmp_path: Path) -> None:
    """What was replaced still has to be deleted, by a later run if need be."""
    state = saved(tmp_path / "state.json")
    state.retire("urn:q")
    found = State.load(state.path, stack="local", instance_id="one")
    assert (found.resources, list(found.retired.values())) == ({}, [RECORD])
    found.forget(next(iter(found.retired)))
    assert State.load(state.path, stack="local", instance_id="one").retired == {}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("not json", "not a readable state file"),
        ("[]", "not a readable state file"),
        ('{"format": 1}', "not a readable state file"),
        ('{"format": 99, "stack": "local"}', "state format 99"),
        ('{"format": 1, "stack": "prod"}', "state of stack 'prod'"),
        ('{"format": 1, "stack": "local"}', "lacks a part"),
        (json.dumps({"format": 1, "stack": "local", "instance_id": "i", "salt": "00",
                     "resources": {"urn": {"planted": 1}}, "retired": {}, "outputs": {}}), "lacks a part"),
    ],
)  # fmt: skip
def test_a_useless_file_is_refused_with_a_next_step(tmp_path: Path, content: str, said: str) -> None:
    """A state that cannot be trusted is never taken for an empty one: its resources would be orphans."""
    path = tmp_path / "state.json"
    path.write_text(content)
    with pytest.raises(StateError, match=said) as refused:
        State.load(path, stack="local", instance_id="one")
    assert "state.json" in str(refused.value)
