"""Reads a Pulumi project and the configuration of one of its stacks, as the Pulumi CLI would.

For `emulator.pulumi.deploy`, which runs without the CLI. https://www.pulumi.com/docs/iac/concepts/config/
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

from topology.config import StackConfig


@dataclass(frozen=True)
class Project:
    """One stack of one project. `config` has namespaced keys and text values, as the program gets them.

    `problems` has one line for each thing that keeps the stack from being deployed.
    """

    name: str
    stack: str
    directory: Path
    config: Mapping[str, str]
    problems: tuple[str, ...]


def read_project(
    directory: Path, stack: str, *, overrides: Mapping[str, str] = MappingProxyType({})
) -> Project:
    """Read `Pulumi.yaml` and `Pulumi.<stack>.yaml` in `directory`: overrides first, defaults last."""
    problems: list[str] = []
    project = _read(directory / "Pulumi.yaml", problems)
    name = str(project.get("name", ""))
    if not name and not problems:
        problems.append("Pulumi.yaml: name is missing; give the project a name")
    config = dict(_defaults(name, project.get("config") or {}))
    stack_file = _read(directory / f"Pulumi.{stack}.yaml", problems)
    for key, value in (stack_file.get("config") or {}).items():
        if isinstance(value, dict) and "secure" in value:
            problems.append(
                f"{key}: an encrypted value cannot be read on the embedded AWS; leave it out of "
                f"Pulumi.{stack}.yaml and put the secret with `responder`"
            )
        else:
            config[_namespaced(name, key)] = _text(value)
    config |= {_namespaced(name, key): value for key, value in overrides.items()}
    return Project(name, stack, directory, config, tuple(problems))


def stack_config(directory: Path, stack: str) -> StackConfig:
    """The validated configuration of a stack of this project, as its file has it.

    Raises:
        ConfigError: with every problem of the values.
    """
    project = read_project(directory, stack)
    prefix = f"{project.name}:"
    ours = {key.removeprefix(prefix): v for key, v in project.config.items() if key.startswith(prefix)}
    return StackConfig.parse(stack=stack, raw=ours)


def _defaults(project: str, schema: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What `Pulumi.yaml` gives every stack: a declared key's default, or a key's value."""
    for key, declared in schema.items():
        if not isinstance(declared, dict):
            yield _namespaced(project, key), _text(declared)
        elif "value" in declared or "default" in declared:
            yield _namespaced(project, key), _text(declared.get("value", declared.get("default")))


def _read(path: Path, problems: list[str]) -> Mapping[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        problems.append(f"{path.name} cannot be read: {error}; see the files beside __main__.py")
        return {}
    if not isinstance(content, dict):
        problems.append(f"{path.name} holds no mapping; see the files beside __main__.py")
        return {}
    return content


def _namespaced(project: str, key: str) -> str:
    """A key without a namespace is the project's own."""
    return key if ":" in key else f"{project}:{key}"


def _text(value: Any) -> str:
    """A value as the CLI hands it over: text as it is, everything else as JSON, a time in it as text."""
    return value if isinstance(value, str) else json.dumps(value, default=str)
