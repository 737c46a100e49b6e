"""Reads the stack's configuration as Pulumi hands it over, unknown keys included; for the program."""

import pulumi
from pulumi.runtime import get_config_env
from pulumi.runtime.config import CONFIG

from topology.config import StackConfig


def load_stack_config() -> StackConfig:
    """The validated configuration of the stack being deployed.

    `pulumi.Config` answers only the keys it is asked for; a misspelt key would be ignored. So the
    whole bag is read: the CLI passes it in the environment, an in-process run through `CONFIG`.

    Raises:
        ConfigError: with every problem found, before any resource is registered.
    """
    bag: dict[str, object] = {**get_config_env(), **CONFIG.get()}
    namespace = f"{pulumi.get_project()}:"
    raw = {key.removeprefix(namespace): value for key, value in bag.items() if key.startswith(namespace)}
    return StackConfig.parse(stack=pulumi.get_stack(), raw=raw)
