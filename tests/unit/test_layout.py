"""The names at the top of the repository, which Python looks up before any installed package."""

import re
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatch
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
OURS = "mcp-incident-responder"
LOCKED = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==", re.MULTILINE)


def normalized(name: str) -> str:
    """A distribution's name in its normal form (https://peps.python.org/pep-0503/#normalized-names)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def top_level_names() -> list[str]:
    """The folders and modules of the repository's top; what git ignores and hidden folders are left out."""
    ignored = [line.strip("/") for line in (ROOT / ".gitignore").read_text(encoding="utf-8").split()]
    return sorted(
        path.stem
        for path in ROOT.iterdir()
        if (path.is_dir() or path.suffix == ".py")
        and not path.name.startswith(".")
        and not any(fnmatch(path.name, pattern) for pattern in ignored)
    )


def locked_distributions() -> set[str]:
    """The distributions that the project's lock names."""
    return set(LOCKED.findall((ROOT / "locks" / "project.txt").read_text(encoding="utf-8")))


def clashes(
    names: Iterable[str], *, locked: Iterable[str], installed: Mapping[str, Sequence[str]]
) -> list[str]:
    """The names that a locked distribution has, or that an installed one but ours brings a module under."""
    taken = {normalized(name) for name in locked}
    taken |= {normalized(module) for module, owners in installed.items() if set(owners) - {OURS}}
    return [name for name in names if normalized(name) in taken]


def test_no_top_level_name_shadows_a_package() -> None:
    """Tests run at the repository's top, where a folder `packaging` would break pytest and pulumi."""
    assert clashes(top_level_names(), locked=locked_distributions(), installed=packages_distributions()) == []


def test_a_name_that_would_shadow_a_package_is_found() -> None:
    """By the lock alone, by an installed module alone, and whatever its separators and case."""
    locked = {"packaging", "Some.Dotted_Name"}
    installed = {"yaml": ["PyYAML"], "handlers": [OURS], "shared": [OURS, "other"]}
    names = ["packaging", "some_dotted_name", "yaml", "handlers", "shared", "docs"]
    found = clashes(names, locked=locked, installed=installed)
    assert found == ["packaging", "some_dotted_name", "yaml", "shared"]


def test_the_names_and_the_lock_are_read() -> None:
    """So that the test above cannot pass by comparing nothing."""
    assert {"handlers", "emulator", "tests", "__main__"} <= set(top_level_names())
    assert {"boto3", "pulumi", "pytest"} <= locked_distributions()
    assert {"boto3", "yaml"} <= packages_distributions().keys()
