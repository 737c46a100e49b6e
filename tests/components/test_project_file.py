"""`Pulumi.yaml` and the stack files agree with the configuration that the program accepts."""

import re
from typing import Any

import pytest
import yaml

from tests.components.recorder import ROOT, stack_file
from topology.config import StackConfig
from topology.config_keys import KEYS, STRONG
from topology.names import PROJECT, STACKS

PULUMI_TYPES = {str: "string", int: "integer", bool: "boolean"}


def _project() -> dict[str, Any]:
    project: dict[str, Any] = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())
    return project


def _parsed(stack: str) -> StackConfig:
    prefix = f"{PROJECT}:"
    raw = {k.removeprefix(prefix): v for k, v in stack_file(stack).items() if k.startswith(prefix)}
    return StackConfig.parse(stack=stack, raw=raw)


def test_the_schema_is_the_one_that_the_program_parses() -> None:
    """Otherwise the CLI would refuse what the program takes, or show a default that is not used."""
    expected = {}
    for key in KEYS:
        expected[key.name] = {"type": PULUMI_TYPES[key.type], "description": key.description}
        if key.default is not None:
            expected[key.name]["default"] = key.default
    assert _project()["config"] == expected


def test_the_project_runs_in_its_own_virtual_environment() -> None:
    """`pulumi up` finds the pinned packages that `make setup` installed."""
    assert _project()["name"] == PROJECT
    assert _project()["runtime"] == {"name": "python", "options": {"toolchain": "pip", "virtualenv": ".venv"}}


def test_a_cli_that_knows_no_stash_is_refused_by_the_project() -> None:
    """In its own words; else it would fail amid the program, at the first resource."""
    assert _project()["requiredPulumiVersion"] == ">=3.208.0"
    assert "iac/download-install/) 3.208 or newer" in (ROOT / "README.md").read_text()


def test_what_the_cli_installs_is_the_lock() -> None:
    """`pulumi install` takes requirements.txt, and says that it has finished where there is none."""
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    assert [line for line in lines if not line.startswith("#")] == ["-r locks/project.txt"]


def test_there_is_one_file_for_each_stack() -> None:
    """A stack without a file could not be deployed; a file without a stack would be refused."""
    assert {path.suffixes[0][1:] for path in ROOT.glob("Pulumi.*.yaml")} == set(STACKS)


@pytest.mark.parametrize("stack", STACKS)
def test_a_stack_file_is_as_the_cli_writes_it(stack: str) -> None:
    """Else `pulumi stack init`, which adds its salt, would rewrite each number and each true or false."""
    text = (ROOT / f"Pulumi.{stack}.yaml").read_text()
    config = yaml.safe_load(text)["config"]
    lists = {key: value for key, value in config.items() if isinstance(value, list)}
    values = {key: value for key, value in config.items() if key not in lists}
    needs_quotes = {key for key, value in values.items() if not isinstance(yaml.safe_load(str(value)), str)}
    written = [
        f'  {key}: "{value}"' if key in needs_quotes else f"  {key}: {value}" for key, value in values.items()
    ]
    lines = [line for line in text.splitlines() if line.startswith("  ") and "#" not in line]
    assert [line for line in lines if line[2] != " " and line.rstrip(":").strip() not in lists] == written
    assert all(re.match(r"    - |      \S", line) for line in lines if line[2] == " "), "a list by two more"


@pytest.mark.parametrize("stack", STACKS)
def test_the_provider_starts_in_the_primary_region(stack: str) -> None:
    """IAM and STS are called through the provider's region; it must be one that the stack uses anyway."""
    assert stack_file(stack)["aws:region"] == _parsed(stack).primary_region


def test_production_is_protected_and_strong() -> None:
    """Faults are never injected there, and its tables refuse to be deleted."""
    config = _parsed("prod")
    assert (config.ledger_consistency, config.deletion_protection, config.chaos_allowed) == (
        STRONG,
        True,
        False,
    )
    assert config.log_retention_days == 30


def test_staging_differs_from_production_by_what_a_rehearsal_needs() -> None:
    """What is rehearsed in staging must hold in production."""
    prod, staging = vars(_parsed("prod")), vars(_parsed("staging"))
    differing = {name for name in prod if prod[name] != staging[name]}
    assert differing == {"stack", "deletion_protection", "chaos_allowed"}
    assert staging["chaos_allowed"] is True


def test_the_local_stack_recovers_within_seconds_and_keeps_few_workers() -> None:
    """The demo loses a region and must not wait out a production lease; two cores run all workers."""
    config = _parsed("local")
    assert config.lease_s == 8
    assert config.reserved_concurrency == 4
    assert config.event_source_concurrency == 2
    assert config.slack_webhook_origin == "http://hooks.slack.test/"


@pytest.mark.parametrize("stack", sorted(set(STACKS) - {"local"}))
def test_only_the_local_stack_posts_to_the_embedded_slack(stack: str) -> None:
    """Elsewhere a Slack URL that is not Slack's own is refused."""
    assert _parsed(stack).slack_webhook_origin == "https://hooks.slack.com/"
