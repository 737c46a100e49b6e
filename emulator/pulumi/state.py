"""What a deployment left on the embedded AWS: read by the next `up` to compare, by `down` to remove.

No secret is in it: secrets and files are digests. It is the user's own file (mode 0600) and is replaced
whole after each change, so a run that is killed forgets at most the calls then under way.
"""

import json
import logging
import os
import secrets
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

from topology.errors import ExplainedError

FORMAT: Final = 1

_log = logging.getLogger(__name__)


class StateError(ExplainedError):
    """The state file cannot be used: it is another stack's, of another version, or damaged."""


@dataclass(frozen=True)
class Record:
    """One resource. `inputs` and `outputs` are JSON values without secrets.

    A resource that is not `complete` was made, but a step after that failed: the next run replaces it. One
    to `retain` stays on the embedded AWS when it is forgotten. `dependencies` are the URNs that each argument
    was made from.
    """

    type: str
    id: str
    region: str
    inputs: dict[str, Any]
    outputs: dict[str, Any]
    protect: bool = False
    complete: bool = True
    retain: bool = False
    dependencies: dict[str, list[str]] = field(default_factory=dict)


@dataclass
class State:
    """The resources of one stack on one emulator, by URN, each after those it depends on.

    `retired` holds resources that were replaced and are yet to be removed; `outputs` are the stack's,
    without the secret ones. Thread-safe.
    """

    path: Path
    stack: str
    instance_id: str
    salt: str = field(default_factory=lambda: secrets.token_hex(16))
    resources: dict[str, Record] = field(default_factory=dict)
    retired: dict[str, Record] = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @classmethod
    def load(cls, path: Path, *, stack: str, instance_id: str) -> Self:
        """The state in `path`; an empty one if there is none.

        Raises:
            StateError: the file is damaged, of another format, or another stack's.
        """
        if not path.exists():
            return cls(path, stack, instance_id)
        advice = f"stop the emulator, delete {path} and deploy again"
        try:
            saved = json.loads(path.read_text(encoding="utf-8"))
            version, owner = saved["format"], saved["stack"]
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise StateError(f"{path} is not a readable state file ({error}); {advice}") from error
        if version != FORMAT:
            raise StateError(f"{path} has state format {version!r}, this version reads {FORMAT}; {advice}")
        if owner != stack:
            raise StateError(f"{path} is the state of stack {owner!r}, not {stack!r}; name another file")
        try:
            return cls(
                path,
                stack,
                str(saved["instance_id"]),
                str(saved["salt"]),
                {urn: Record(**item) for urn, item in saved["resources"].items()},
                {key: Record(**item) for key, item in saved["retired"].items()},
                saved["outputs"],
            )
        except (AttributeError, TypeError, KeyError) as error:
            raise StateError(f"{path} lacks a part of the state ({error}); {advice}") from error

    @classmethod
    def of(cls, instance_id: str, *, path: Path, stack: str) -> tuple[Self, int]:
        """One emulator's state, and how many resources of another were forgotten; raises as `load`."""
        state = cls.load(path, stack=stack, instance_id=instance_id)
        if state.instance_id == instance_id:
            return state, 0
        discarded = len(state.resources)
        _log.info("the emulator that %d resources were made on is gone; starting afresh", discarded)
        return cls(path, stack, instance_id), discarded

    def note(self, urn: str, record: Record) -> None:
        """Record a resource that is under way, to be saved with the next change or at the end."""
        with self._lock:
            self.resources[urn] = record

    def put(self, urn: str, record: Record) -> None:
        """Record a resource as the newest, behind those it depends on, and save what is new."""
        with self._lock:
            known = self.resources.pop(urn, None)
            self.resources[urn] = record
            if record != known:
                self._save()

    def forget(self, key: str) -> None:
        """Drop a resource, or a retired one, that was removed, and save."""
        with self._lock:
            if self.retired.pop(key, None) is None:
                del self.resources[key]
            self._save()

    def retire(self, urn: str) -> None:
        """Set a resource aside for removal at the end of the run, and save."""
        with self._lock:
            record = self.resources.pop(urn)
            self.retired[f"{urn}#{record.id}"] = record
            self._save()

    def save(self) -> None:
        """Write the file, whole or not at all."""
        with self._lock:
            self._save()

    def erase(self) -> None:
        """Remove the file: nothing is left to remember."""
        with self._lock:
            self.path.unlink(missing_ok=True)

    def _save(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        content = {
            "format": FORMAT,
            "stack": self.stack,
            "instance_id": self.instance_id,
            "salt": self.salt,
            "outputs": self.outputs,
            "resources": {urn: vars(record) for urn, record in self.resources.items()},
            "retired": {key: vars(record) for key, record in self.retired.items()},
        }
        unfinished = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(json.dumps(content))
        unfinished.replace(self.path)
