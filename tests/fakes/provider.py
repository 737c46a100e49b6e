"""A provider of things in memory, and runs of the in-process engine against it."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from clients.aws import AwsClients
from emulator.pulumi.engine import Engine, Options, Progress, Registered
from emulator.pulumi.provider.resource import Created, Existing, Inputs, ResourceContext, ResourceType
from emulator.pulumi.state import State

TYPE = "aws:sqs/queue:Queue"
USUAL = Options(protect=False, secret_outputs=frozenset())


def aws_error(code: str) -> ClientError:
    """What botocore raises for an error of AWS."""
    return ClientError({"Error": {"Code": code, "Message": "planted"}}, "Planted")


class Shelf(ResourceType):
    """Things in memory, by id. Fails where a test says so."""

    type = TYPE
    updates = frozenset({"size", "box.lid", "box.label", "lock"})
    replaces = frozenset({"name", "kind", "from"})
    secrets = frozenset({"key"})
    read_back = frozenset({"lock"})

    def __init__(self, *, unique: bool = False) -> None:
        """Give each thing an id of its own if `unique`; else the name is the id."""
        self.things: dict[str, dict[str, Any]] = {}
        self.log: list[str] = []
        self.failing: set[str] = set()
        self.lock: str | None = None
        self.autonamed = "" if unique else "name"  # type: ignore[misc]  # one double for both kinds
        self.identity = frozenset() if unique else frozenset({"name"})  # type: ignore[misc]  # as above

    def create(self, context: ResourceContext, inputs: Inputs) -> Created:
        """Put a thing on the shelf."""
        thing = f"{inputs['name']}@{context.region}"
        if not self.identity:
            thing += f"#{len(self.log)}"
        assert thing not in self.things, "it exists already"
        self._step("create", thing)
        self.things[thing] = dict(inputs)
        return Created(thing, {"arn": f"arn:{thing}", "key": "s3cret"})

    def complete(self, context: ResourceContext, created: Created, inputs: Inputs) -> Mapping[str, Any]:
        """Give it a URL."""
        del context, inputs
        self._step("complete", created.id)
        return {"url": "http://" + created.id, "lock": self.lock}

    def update(
        self, context: ResourceContext, existing: Existing, inputs: Inputs, changed: Collection[str]
    ) -> Mapping[str, Any]:
        """Change it."""
        del context
        self._step("update", existing.id)
        self.things[existing.id] |= {name: inputs.get(name) for name in changed}
        return {}

    def delete(self, context: ResourceContext, existing: Existing) -> None:
        """Take it off."""
        del context
        self._step("delete", existing.id)
        if self.things.pop(existing.id, None) is None:
            raise aws_error("ResourceNotFoundException")

    def read_secrets(self, context: ResourceContext, existing: Existing) -> Mapping[str, Any]:
        """Tell its key."""
        del context, existing
        return {"key": "s3cret"}

    def _step(self, step: str, thing: str) -> None:
        if step in self.failing:
            raise aws_error("AccessDenied")
        self.log.append(f"{step} {thing}")


class Run:
    """One run of a program on a shelf, with the state that a former run saved."""

    def __init__(self, shelf: Shelf, path: Path) -> None:
        """Begin a run; nothing is registered yet."""
        self.state = State.load(path, stack="local", instance_id="one")
        self.progress: list[Progress] = []
        self.engine = Engine(
            clients=AwsClients("http://127.0.0.1:1"),
            webhook_base_urls={},
            state=self.state,
            on_progress=self.progress.append,
            catalogue={TYPE: shelf},
        )

    def register(
        self, urn: str = "urn::q", *, options: Mapping[str, Any] | None = None, **raw: Any
    ) -> Registered:
        """Register one thing, with options other than the usual ones."""
        return self.engine.register(
            urn,
            TYPE,
            {"region": "us-east-1", "name": "q", **raw},
            replace(USUAL, **(options or {})),
        )

    @property
    def actions(self) -> list[str]:
        """What was done, in order."""
        return [step.action for step in self.progress]
