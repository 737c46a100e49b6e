"""Sizes written into a stack's configuration."""

import shutil
import stat
from pathlib import Path

import pytest

from emulator.pulumi.project import stack_config
from loadtests.sizing.apply import ApplyError, change_of
from topology.functions import FUNCTIONS
from topology.names import STACKS

ROOT = Path(__file__).parents[3]
CHOSEN = {"reception": 1024, "analysis": 1536, "distribution": 1024, "recovery": 128}
DEV = """\
# Small, and with a comment.
config:
    # Where only IAM is called.
    aws:region: us-east-1
    mcp-incident-responder:primaryRegion:   "us-east-1"   # kept
    mcp-incident-responder:failoverRegion: us-west-2

    mcp-incident-responder:ledgerConsistency: 'eventual'
    mcp-incident-responder:receptionMemoryMb: "256" # as it was
    mcp-incident-responder:analysisMemoryMb: 512
    # the end
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The project's own configuration, in a place of its own."""
    for file in ROOT.glob("Pulumi*.yaml"):
        shutil.copy(file, tmp_path)
    return tmp_path


@pytest.mark.parametrize("stack", STACKS)
def test_each_stacks_file_changes_in_its_sizes_only_and_says_them(folder: Path, stack: str) -> None:
    """Every other line is where and what it was, comments too."""
    file = folder / f"Pulumi.{stack}.yaml"
    before = file.read_text(encoding="utf-8").splitlines()
    change_of(folder, stack, CHOSEN).write()
    after = file.read_text(encoding="utf-8").splitlines()
    assert [one for one in after if "MemoryMb" not in one] == [one for one in before if "MemoryMb" not in one]
    config = stack_config(folder, stack)
    assert {spec.key: config.memory_mb[spec] for spec in FUNCTIONS} == CHOSEN


@pytest.mark.parametrize("stack", STACKS)
def test_sizes_that_a_stack_has_already_change_no_byte(folder: Path, stack: str) -> None:
    """A default is not written down either."""
    config = stack_config(folder, stack)
    same = change_of(folder, stack, {spec.key: config.memory_mb[spec] for spec in FUNCTIONS})
    assert same.after == same.before
    assert same.diff == ""


def test_the_diff_is_shown_before_anything_is_written(folder: Path) -> None:
    """As `diff -u` has it."""
    change = change_of(folder, "dev", {"analysis": 1536})
    assert '-  mcp-incident-responder:analysisMemoryMb: "512"\n' in change.diff
    assert '+  mcp-incident-responder:analysisMemoryMb: "1536"\n' in change.diff
    assert (folder / "Pulumi.dev.yaml").read_bytes() == change.before


def test_comments_and_quotes_stay_as_a_person_wrote_them(tmp_path: Path) -> None:
    """Also beside a size, which stays a text if it was one."""
    (tmp_path / "Pulumi.dev.yaml").write_text(
        DEV.replace('   "us-east-1"   #', ' "us-east-1"   #').replace("    ", "  ")
    )
    change = change_of(tmp_path, "dev", {"reception": 768})
    assert [line for line in change.diff.splitlines() if line.startswith("+ ")] == [
        '+  mcp-incident-responder:receptionMemoryMb: "768" # as it was'
    ]


@pytest.mark.parametrize("text", [DEV, DEV.replace("    ", "  ").replace("\n", "\r\n")])
def test_a_file_that_would_change_in_other_places_is_left_alone(tmp_path: Path, text: str) -> None:
    """Spaces, indents or line ends that would be lost: what to set by hand is said."""
    file = tmp_path / "Pulumi.dev.yaml"
    file.write_bytes(text.encode())
    with pytest.raises(ApplyError, match="set analysisMemoryMb to 768 by hand"):
        change_of(tmp_path, "dev", {"analysis": 768})
    assert file.read_bytes() == text.encode()


def test_a_last_line_without_an_end_stays_without_one(folder: Path) -> None:
    """It is no size."""
    file = folder / "Pulumi.prod.yaml"
    file.write_bytes(
        file.read_bytes().rstrip(b"\n").replace(b"owner: incident-response", b"receptionMemoryMb: 512")
    )
    change_of(folder, "prod", {"reception": 256}).write()
    assert file.read_bytes().endswith(b'receptionMemoryMb: "256"')


@pytest.mark.parametrize(
    ("memory_mb", "says"),
    [
        ({"analysis": 64}, "analysisMemoryMb: '64' is not allowed"),
        ({"analysis": 10_241}, "allowed: 128 to 10240 MB"),
        ({"mailer": 512}, "no function mailer"),
    ],
)
def test_what_would_not_be_valid_is_not_written(folder: Path, memory_mb: dict[str, int], says: str) -> None:
    """By the same rules as a deployment, in a line."""
    with pytest.raises(ApplyError, match=says) as refused:
        change_of(folder, "dev", memory_mb)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "content",
    [
        None,
        b"",
        b"config:\n",
        b"- a list\n",
        b"config: {a: 1, a: 2}\n",
        b"\xff",
        b"config: {1: 2}\n",
        b"config:\n  x: !!python/none\n",
    ],
)
def test_a_file_that_is_none_of_a_stack_is_refused_in_a_line(tmp_path: Path, content: bytes | None) -> None:
    """With what to set by hand, where that helps."""
    if content is not None:
        (tmp_path / "Pulumi.dev.yaml").write_bytes(content)
    with pytest.raises(ApplyError) as refused:
        change_of(tmp_path, "dev", {"analysis": 768})
    assert "\n" not in str(refused.value)


def test_a_file_that_somebody_changed_meanwhile_is_left_as_it_is(folder: Path) -> None:
    """And no draft lies beside it."""
    change = change_of(folder, "dev", {"analysis": 1536})
    file = folder / "Pulumi.dev.yaml"
    file.write_text("config: {}\n", encoding="utf-8")
    with pytest.raises(ApplyError, match="has changed since"):
        change.write()
    assert file.read_text(encoding="utf-8") == "config: {}\n"
    assert {one.name for one in folder.iterdir()} == {one.name for one in ROOT.glob("Pulumi*.yaml")}


def test_the_new_file_has_the_old_ones_rights_and_a_link_stays_one(folder: Path) -> None:
    """Whoever could read it can."""
    file = folder / "Pulumi.dev.yaml"
    real = file.rename(folder / "real.yaml")
    file.symlink_to(real)
    real.chmod(0o640)
    change_of(folder, "dev", {"analysis": 1536}).write()
    assert file.is_symlink()
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    assert 'analysisMemoryMb: "1536"' in real.read_text(encoding="utf-8")


def test_what_cannot_be_written_leaves_the_old_file(folder: Path) -> None:
    """A folder that is gone, told in a line."""
    change = change_of(folder, "dev", {"analysis": 1536})
    shutil.rmtree(folder)
    with pytest.raises(ApplyError, match="cannot be written"):
        change.write()
