"""Reads the stack's configuration as Pulumi hands it over, unknown keys included; for the program."""

from collections.abc import Mapping

import pulumi
from pulumi.runtime import get_config_env, is_config_secret
from pulumi.runtime.config import CONFIG

from handlers.domain.configured import source_problems
from topology.config import StackConfig


def load_stack_config() -> StackConfig:
    """The validated configuration of the stack being deployed.

    `pulumi.Config` answers only the keys it is asked for; a misspelt key would be ignored. So the
    whole bag is read: the CLI passes it in the environment, an in-process run through `CONFIG`.

    Raises:
        ConfigError: with every problem found, before any resource is registered.
    """
    bag, namespace = _bag(), f"{pulumi.get_project()}:"
    secret = {key for key in bag if is_config_secret(namespace + key)}
    return StackConfig.parse(stack=pulumi.get_stack(), raw=bag, secret=secret, check_sources=source_problems)


def configuration_to_keep() -> Mapping[str, object]:
    """The values of the stack's keys as they were given, without those that Pulumi keeps encrypted."""
    namespace = f"{pulumi.get_project()}:"
    return {key: value for key, value in _bag().items() if not is_config_secret(namespace + key)}


def run_by_cli() -> bool:
    """Whether the Pulumi CLI runs the program, and what it makes is a stack; in process it may be a trial."""
    return bool(get_config_env())


def as_given(key: str, value: str) -> pulumi.Input[str]:
    """A value of the configuration as an argument: a secret in the state too if it was given as one."""
    return pulumi.Output.secret(value) if is_config_secret(f"{pulumi.get_project()}:{key}") else value


def _bag() -> Mapping[str, object]:
    """Every key of the project, without its namespace."""
    bag: dict[str, object] = {**get_config_env(), **CONFIG.get()}
    namespace = f"{pulumi.get_project()}:"
    return {key.removeprefix(namespace): value for key, value in bag.items() if key.startswith(namespace)}
