"""Writes sizes of memory into a stack's configuration, and changes nothing else in the file.

The caller shows `Change.diff` and writes, or does not. Comments, order and quotes stay, by ruamel.yaml of the
extra `load`; what would change more than the sizes is refused.
"""

import contextlib
import difflib
import io
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from topology.config import ConfigError, StackConfig
from topology.config_keys import KEYS
from topology.errors import ExplainedError
from topology.functions import FUNCTIONS
from topology.names import PROJECT

_WIDTH: Final = 1_000_000
"""Of a line, so that none is folded."""


class ApplyError(ExplainedError):
    """The sizes cannot be written, and the file is as it was."""


@dataclass(frozen=True)
class Change:
    """What a stack's file holds, and what it is to hold."""

    file: Path
    before: bytes
    after: bytes

    @property
    def diff(self) -> str:
        """What would change, as `diff -u` has it; empty if nothing."""
        before, after = (part.decode().splitlines(keepends=True) for part in (self.before, self.after))
        return "".join(difflib.unified_diff(before, after, str(self.file), str(self.file)))

    def write(self) -> None:
        """Put the new file in the old one's place, whole or not at all.

        Raises:
            ApplyError: somebody has changed the file since it was read, or it cannot be written.
        """
        file = self.file.resolve()
        try:
            if file.read_bytes() != self.before:
                raise ApplyError(f"{file} has changed since it was read; nothing was written, run it again")
            handle, draft = tempfile.mkstemp(dir=file.parent, prefix=file.name)
            try:
                with os.fdopen(handle, "wb") as out:
                    out.write(self.after)
                    out.flush()
                    os.fsync(out.fileno())
                shutil.copymode(file, draft)
                Path(draft).replace(file)
            except BaseException:
                with contextlib.suppress(OSError):
                    Path(draft).unlink()
                raise
        except OSError as error:
            raise ApplyError(f"{file} cannot be written ({error.strerror}); check its folder") from error


def change_of(directory: Path, stack: str, memory_mb: Mapping[str, int]) -> Change:
    """What writing these sizes, in MB by function, would change in `Pulumi.<stack>.yaml`; writes nothing.

    Raises:
        ApplyError: the file cannot be read or would be changed in other places, a function is none of the
            stack's, or the configuration would not be valid.
    """
    file = directory / f"Pulumi.{stack}.yaml"
    keys = {spec.key: spec.memory_key for spec in FUNCTIONS}
    if unknown := sorted(memory_mb.keys() - keys.keys()):
        raise ApplyError(f"no function {', '.join(unknown)}; there are {', '.join(keys)}")
    sizes = {keys[function]: size for function, size in memory_mb.items()}
    try:
        before = file.read_bytes()
        after = _with_sizes(before.decode(), sizes)
        _check(stack, after)
    except (OSError, ValueError, yaml.YAMLError) as error:
        words = " ".join(str(error).split())
        raise ApplyError(f"{file} cannot be read ({words}); set {_by_hand(sizes)} by hand") from error
    except ConfigError as error:
        problems = "; ".join(error.problems)
        raise ApplyError(f"{file} would not be valid: {problems}; nothing was written") from error
    change = Change(file, before, after.encode())
    touched = [line for line in change.diff.splitlines()[2:] if line[:1] in {"+", "-"}]
    if not all(any(key in line for key in sizes) for line in touched):
        raise ApplyError(f"more than sizes would change in {file}; set {_by_hand(sizes)} by hand")
    return change


def _with_sizes(text: str, sizes: Mapping[str, int]) -> str:
    """The text of a stack's file with these sizes.

    Raises:
        ApplyError: ruamel.yaml is not installed.
        ValueError: it is no such file.
    """
    try:
        from ruamel.yaml import YAML  # noqa: PLC0415 - of an extra
        from ruamel.yaml.error import YAMLError  # noqa: PLC0415
    except ImportError as error:
        raise ApplyError("writing sizes needs ruamel.yaml; pip install '.[load]'") from error
    codec = YAML()
    codec.preserve_quotes = True
    codec.width = _WIDTH
    codec.indent(sequence=4, offset=2)  # as the Pulumi CLI writes lists
    try:
        content = codec.load(text)
    except YAMLError as error:
        raise ValueError(str(error)) from error
    config = content.get("config") if isinstance(content, dict) else None
    if not isinstance(config, dict):
        raise ValueError("it has no mapping under config")  # noqa: TRY004 - the file's fault, not a caller's
    for key, size in sizes.items():
        _set(config, key, size)
    out = io.StringIO()
    codec.dump(content, out)
    return out.getvalue() if text.endswith("\n") else out.getvalue().removesuffix("\n")


def _set(config: dict[str, Any], key: str, size: int) -> None:
    """Give a key its size, quoted as it was or as the Pulumi CLI does; one not there, unless by default."""
    from ruamel.yaml.scalarstring import DoubleQuotedScalarString  # noqa: PLC0415 - of an extra

    name = key if key in config else f"{PROJECT}:{key}"
    if name in config and str(config[name]) == str(size):
        return
    if name in config or size != next(one.default for one in KEYS if one.name == key):
        old = config.get(name)
        config[name] = (type(old) if isinstance(old, str) else DoubleQuotedScalarString)(size)


def _check(stack: str, text: str) -> None:
    """Check what the file would be.

    Raises:
        ConfigError: it would not be valid.
    """
    config = {str(name): value for name, value in yaml.safe_load(text)["config"].items()}
    prefix = f"{PROJECT}:"
    ours = [name for name in config if ":" not in name or name.startswith(prefix)]
    StackConfig.parse(stack=stack, raw={name.removeprefix(prefix): config[name] for name in ours})


def _by_hand(sizes: Mapping[str, int]) -> str:
    return ", ".join(f"{key} to {size}" for key, size in sizes.items())
