"""Versions of a stack's functions at other sizes: made, and deleted again with every setting as it was.

A version is published from `$LATEST`, which has the size for some seconds. Nothing invokes that: all triggers
of a stack invoke the alias `live`, which stays where it is. What `$LATEST` had is written into its own
environment by the same call that changes it, so whoever comes next, from whatever machine, finds what a
killed sweep left. One sweep at a time: the next one takes the versions of the one before for left ones.
"""

import secrets
from collections.abc import Mapping
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from clients.deployment import Deployment
from clients.waiting import wait_for
from topology.errors import ExplainedError
from topology.functions import FUNCTIONS, FunctionSpec

DESCRIPTION: Final = "made by responder tune memory, which deletes it"
"""Of each version that was made here: by it they are found again."""

SIZE_BEFORE: Final = "TUNING_SIZE_BEFORE_MB"
"""The variable of `$LATEST` that says what size it had, while it has another."""

_MADE: Final = "TUNING_MADE"
"""A variable that no two versions have alike, as Lambda publishes none that is like the one before.
https://docs.aws.amazon.com/lambda/latest/dg/configuration-versions.html"""

UPDATED_WITHIN_S: Final = 60.0


class SizeRefusedError(ExplainedError):
    """This account may not have functions of that size."""


class VariablesUnreadError(ExplainedError):
    """A function's environment cannot be read, so it could not be put back; nothing was changed."""


class NotPutBackError(ExplainedError):
    """Something of a sweep is left; the text names each function with the size that it had."""


class Versions:
    """The functions' versions in one region of a stack."""

    def __init__(self, deployment: Deployment, region: str) -> None:
        """Nothing is asked yet."""
        self._names, self._region = deployment.names, region
        self._lambda: Final[Any] = deployment.clients.client("lambda", region)

    def variables(self, spec: FunctionSpec) -> Mapping[str, str]:
        """The environment of a function.

        Raises as `publish` does.
        """
        return _variables(self._settled(self._names.function(spec)))

    def publish(self, spec: FunctionSpec, memory_mb: int) -> str:
        """Make a version of this size that has never run, and put `$LATEST` back; its number.

        Raises:
            SizeRefusedError: the account's limit is lower, as a new account's is.
            VariablesUnreadError: saying what is missing.
            botocore.exceptions.ClientError, BotoCoreError: AWS refuses, or does not answer.
        """
        name = self._names.function(spec)
        latest = self._settled(name)
        variables, size_mb = _variables(latest), latest["MemorySize"]
        marked = {**variables, SIZE_BEFORE: str(size_mb), _MADE: secrets.token_hex(8)}
        try:
            self._set(name, memory_mb, marked)
            version = self._lambda.publish_version(FunctionName=name, Description=DESCRIPTION)["Version"]
        except self._lambda.exceptions.InvalidParameterValueException as error:
            raise SizeRefusedError(f"AWS refuses {memory_mb} MB ({error}); ask for a higher quota") from error
        finally:
            self._set(name, size_mb, variables)
        self._settled(name, Qualifier=version)
        return str(version)

    def delete(self, spec: FunctionSpec, version: str) -> None:
        """Delete a version that was made here.

        Raises:
            botocore.exceptions.ClientError, BotoCoreError: AWS refuses, or does not answer.
        """
        self._lambda.delete_function(FunctionName=self._names.function(spec), Qualifier=version)

    def put_back(self) -> None:
        """Put back each function's size, and delete what versions were made here, by whichever run.

        Raises:
            NotPutBackError: naming what is left, in a line.
        """
        left = [line for spec in FUNCTIONS for line in self._put_back(spec)]
        if left:
            raise NotPutBackError(f"{'; '.join(left)}; run the same command again with --put-back")

    def _put_back(self, spec: FunctionSpec) -> list[str]:
        name, left = self._names.function(spec), list[str]()
        what = f"the size of {name} in {self._region} is unknown"
        try:
            variables = _variables(latest := self._settled(name))
            if (size := variables.get(SIZE_BEFORE)) is not None:
                what = f"{name} in {self._region} has {latest['MemorySize']} MB, where it had {size}"
                ours = (SIZE_BEFORE, _MADE)
                before = {key: value for key, value in variables.items() if key not in ours}
                self._set(name, int(size), before)
        except (BotoCoreError, ClientError, VariablesUnreadError) as error:
            left.append(f"{what} ({error})")
        what = f"versions of {name} in {self._region} may be left"
        try:
            for version in self._made(name):
                what = f"version {version} of {name} in {self._region} is left"
                self.delete(spec, version)
        except (BotoCoreError, ClientError) as error:
            left.append(f"{what} ({error})")
        return left

    def _made(self, name: str) -> list[str]:
        pages = self._lambda.get_paginator("list_versions_by_function").paginate(FunctionName=name)
        return [
            one["Version"]
            for page in pages
            for one in page["Versions"]
            if one.get("Description") == DESCRIPTION
        ]

    def _set(self, name: str, memory_mb: int, variables: Mapping[str, str]) -> None:
        self._lambda.update_function_configuration(
            FunctionName=name, MemorySize=memory_mb, Environment={"Variables": variables}
        )
        self._settled(name)

    def _settled(self, name: str, **qualifier: str) -> Mapping[str, Any]:
        """The configuration, once no update of it is under way any more.

        https://docs.aws.amazon.com/lambda/latest/dg/functions-states.html
        """
        return wait_for(
            lambda: self._lambda.get_function_configuration(FunctionName=name, **qualifier),
            lambda found: found.get("LastUpdateStatus") != "InProgress" and found.get("State") != "Pending",
            within_s=UPDATED_WITHIN_S,
        )


def _variables(configuration: Mapping[str, Any]) -> dict[str, str]:
    environment = configuration.get("Environment", {})
    if "Error" in environment:
        raise VariablesUnreadError(
            f"the environment of {configuration['FunctionName']} cannot be read "
            f"({environment['Error'].get('Message')}); allow kms:Decrypt with its key"
        )
    return dict(environment.get("Variables", {}))
