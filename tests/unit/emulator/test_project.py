"""Configuration as the Pulumi CLI hands it over: defaults, stack values, namespaces, text."""

from pathlib import Path

import pytest

from emulator.pulumi.project import Project, read_project

PROJECT = """
name: shop
runtime: python
config:
  size: {type: integer, default: 512}
  safe: {type: boolean, default: true}
  region: {type: string}
  other:plain: {value: text}
"""


def read(folder: Path, *, project: str = PROJECT, stack: str = "config: {}") -> Project:
    """Write both files and read them."""
    (folder / "Pulumi.yaml").write_text(project)
    (folder / "Pulumi.local.yaml").write_text(stack)
    return read_project(folder, "local")


def test_defaults_are_namespaced_text(tmp_path: Path) -> None:
    """A declared key without a default is absent; whoever needs it says so."""
    found = read(tmp_path)
    assert (found.name, found.problems) == ("shop", ())
    assert found.config == {"shop:size": "512", "shop:safe": "true", "other:plain": "text"}


def test_the_stacks_values_win(tmp_path: Path) -> None:
    """With the project's namespace or without; structures arrive as JSON."""
    found = read(tmp_path, stack="config: {shop:size: 1024, region: us-east-1, list: [1, two]}")
    assert found.config["shop:size"] == "1024"
    assert found.config["shop:region"] == "us-east-1"
    assert found.config["shop:list"] == '[1, "two"]'


def test_an_unknown_key_reaches_the_program(tmp_path: Path) -> None:
    """The program refuses it, with all else that is wrong."""
    assert read(tmp_path, stack="config: {shop:planted: 1}").config["shop:planted"] == "1"


def test_an_encrypted_value_is_refused_by_name(tmp_path: Path) -> None:
    """Locally nothing could decrypt it, and the program would see ciphertext."""
    problems = read(tmp_path, stack="config: {shop:token: {secure: AAAB}}").problems
    assert [problem.startswith("shop:token:") for problem in problems] == [True]
    assert "AAAB" not in problems[0]


@pytest.mark.parametrize(
    ("project", "stack", "named"),
    [
        ("name: shop", "- a list", "Pulumi.local.yaml"),
        ("name: [", "config: {}", "Pulumi.yaml"),
        ("runtime: python", "config: {}", "name is missing"),
    ],
)
def test_a_damaged_file_is_named(tmp_path: Path, project: str, stack: str, named: str) -> None:
    """One line for each file, never a traceback."""
    assert [named in problem for problem in read(tmp_path, project=project, stack=stack).problems] == [True]


def test_a_missing_stack_file_is_named(tmp_path: Path) -> None:
    """The stack does not exist."""
    (tmp_path / "Pulumi.yaml").write_text(PROJECT)
    assert ["Pulumi.nowhere.yaml" in line for line in read_project(tmp_path, "nowhere").problems] == [True]
