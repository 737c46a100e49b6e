"""No output that carries a secret is kept in plain text in Pulumi's state."""

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pulumi_aws
import pytest
from pulumi import _types  # the SDK's own map of a resource's outputs; it has no public name
from pulumi.runtime import rpc

from tests.components.answers import Cloud
from tests.components.recorder import (
    EMAIL,
    EVERY_OPTION,
    Registered,
    Run,
    run_program,
    stack_file,
    stand_ins,
)
from topology.names import PROJECT, STACKS
from topology.outputs import SECRET_OF_TYPE

SUSPECT: Final = re.compile(
    r"^value$|password|secret|token|private_?key|credential|sensitive|plain_?text|auth_?key", re.IGNORECASE
)
"""What the name of an output that carries a secret has in it, in the words of pulumi-aws."""

NO_SECRET: Final[Mapping[str, str]] = {
    "aws:apigateway/integration:Integration.credentials": "the ARN of a role",
    "aws:lambda/permission:Permission.eventSourceToken": "of an Alexa skill, which nothing here is",
}
"""Outputs that are only called so, each with the reason."""


def _suspects(run: Run) -> Iterator[tuple[Registered, str]]:
    """The text outputs of each resource whose names say that they carry a secret, in camel case."""
    for resource in run.resources:
        provider, module, name = resource.type.split(":")
        if not resource.custom or provider != "aws":
            continue
        package: Any = getattr(pulumi_aws, module.partition("/")[0].replace("lambda", "lambda_"))
        for output, kind in _types.resource_types(getattr(package, name)).items():
            if kind is str and SUSPECT.search(output):
                yield resource, output


@pytest.mark.parametrize("stack", [*STACKS, "every option"])
def test_no_output_that_carries_a_secret_is_plain(
    stack: str, run_of: Callable[[str], Run], optioned: Run
) -> None:
    """Whoever may read the state would have the API key of every source."""
    suspects = list(_suspects(optioned if stack == "every option" else run_of(stack)))
    plain = [(r.name, f"{r.type}.{output}") for r, output in suspects if output not in r.secret_outputs]
    assert [(name, output) for name, output in plain if output not in NO_SECRET] == []
    assert {f"{r.type}.{output}" for r, output in suspects} - NO_SECRET.keys() == {
        f"{type_}.{output}"
        for type_ in {resource.type for resource, _ in suspects} & SECRET_OF_TYPE.keys()
        for output in SECRET_OF_TYPE[type_]
    }


def test_every_secret_output_is_of_something_that_a_stack_has(optioned: Run) -> None:
    """What the emulator and the policy pack go by is what was found here."""
    assert SECRET_OF_TYPE.keys() <= {resource.type for resource, _ in _suspects(optioned)}


def test_every_exception_is_of_something_that_a_stack_has(optioned: Run) -> None:
    """One whose resource is gone would hide the next output of that name."""
    assert NO_SECRET.keys() <= {f"{resource.type}.{output}" for resource, output in _suspects(optioned)}


def test_what_the_configuration_keeps_encrypted_the_state_does_too(tmp_path: Path) -> None:
    """An address or a channel that was given with --secret is in no argument in plain text."""
    config = stack_file("prod") | EVERY_OPTION
    keys = tuple(f"{PROJECT}:{key}" for key in ("alarmEmail", "escalationUrl", "slackChannel"))
    run = run_program("prod", config, stand_ins(tmp_path), Cloud(secret_keys=keys))
    assert run.error is None
    found = [
        value
        for resource in run.resources
        for value in _plain_texts(resource.inputs)
        if any(config[key] in value for key in keys)
    ]
    assert found == []
    subscriptions = run.of("sns/topicSubscription:TopicSubscription", region="us-east-1")
    given = [one.inputs["endpoint"] for one in subscriptions if one.inputs["protocol"] != "lambda"]
    assert sorted(map(rpc.unwrap_rpc_secret, given)) == [config[f"{PROJECT}:escalationUrl"], EMAIL, EMAIL]


def test_a_secret_that_would_be_kept_in_plain_text_is_refused(tmp_path: Path) -> None:
    """Every key but those that are kept encrypted; else it would be in names, tags and the state."""
    config = stack_file("prod") | EVERY_OPTION
    keys = tuple(key for key in config if key.startswith(f"{PROJECT}:"))
    run = run_program("prod", config, stand_ins(tmp_path), Cloud(secret_keys=keys))
    for key in (key.removeprefix(f"{PROJECT}:") for key in keys):
        kept = ("alarmEmail", "escalationUrl", "slackChannel")
        told = f"{key}: it is no secret where it is used; allowed with --secret: {', '.join(kept)}"
        assert (told in str(run.error)) is (key not in kept)
    assert run.resources == []


def _plain_texts(value: Any) -> Iterator[str]:
    """Every text in a value that is not marked as a secret."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in () if rpc.is_rpc_secret(value) else value.values():
            yield from _plain_texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _plain_texts(item)
