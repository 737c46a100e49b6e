"""What is written into control groups of version 2, in a folder that stands for their file system."""

import os
from pathlib import Path

import pytest

from emulator.lambda_host import cgroups
from emulator.lambda_host.cgroups import CgroupV2


@pytest.fixture
def mount(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A hierarchy whose root hands on both controllers, with this process in a group that cannot."""
    (tmp_path / "cgroup.subtree_control").write_text("cpu memory pids\n", encoding="ascii")
    (tmp_path / "mine").mkdir()
    monkeypatch.setattr(cgroups, "_mounts", lambda: iter([("cgroup2", tmp_path, {"rw"})]))
    monkeypatch.setattr(cgroups, "_own_paths", lambda: iter([("", "/mine")]))
    return tmp_path


def test_a_group_has_lambdas_limits(mount: Path) -> None:
    """Share by quota and period, memory without swap, and all of it dies if one process has too much."""
    group = CgroupV2(256, 0.145)
    folder = group.joins[0].parent
    assert folder == mount / f"lambda-host-{os.getpid()}-{folder.name.rsplit('-', 1)[1]}"
    assert (folder / "cpu.max").read_text() == "2900 20000"
    assert (folder / "cpu.weight").read_text() == "10000"
    assert (folder / "memory.max").read_text() == str(256 * 1024 * 1024)
    assert (folder / "memory.oom.group").read_text() == "1"
    group.set_share(1.0)
    assert (folder / "cpu.max").read_text() == "20000 20000"


def test_a_kill_for_memory_is_read_from_its_events(mount: Path) -> None:
    """`oom_kill` counts processes; `max` counts how often the limit was met, which is no kill."""
    group = CgroupV2(256, 0.145)
    events = group.joins[0].parent / "memory.events"
    events.write_text("low 0\nhigh 0\nmax 7\noom 0\noom_kill 0\n", encoding="ascii")
    assert not group.killed_for_memory()
    events.write_text("low 0\nhigh 0\nmax 7\noom 1\noom_kill 1\n", encoding="ascii")
    assert group.killed_for_memory()
    assert mount in events.parents


def test_a_hierarchy_without_controllers_holds_nothing(mount: Path) -> None:
    """A hybrid system has an empty version 2 beside version 1."""
    (mount / "cgroup.subtree_control").unlink()
    (mount / "cgroup.subtree_control").mkdir()
    assert CgroupV2.parents() == []
    with pytest.raises(FileNotFoundError, match="cpu and memory"):
        CgroupV2(256, 0.145)
