"""What a command prints or writes to a file, without the secrets that senders put into their alerts.

The ledger keeps a body's part as it came, and output is pasted into tickets: whatever shows a row goes
through here, and is redacted as what goes to Slack and to the model is.
"""

from collections.abc import Mapping
from typing import Any, Final

from handlers.domain.redaction import redacted, redacted_value

_COMMANDS: Final = frozenset({"next", "hint"})
"""What the project's own words say to type next: an option such as `--api-key ID` looks like a secret."""

_OWN: Final = frozenset({"open_key", "lease_token", "acknowledged_by", "snoozed_by"})
"""Attributes of a row that no sender writes, and that look like a secret or name one of us."""


def without_secrets(value: Any, *, kept: frozenset[str] = _COMMANDS) -> Any:
    """The same value, each text in it redacted but for those that are `kept`, by their names.

    A text that is named like a secret, as a label may be, goes as a whole.
    """
    if isinstance(value, str):
        return redacted(value)
    if isinstance(value, Mapping):
        return {name: one if name in kept else _named(name, one, kept) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [without_secrets(one, kept=kept) for one in value]
    return value


def row_without_secrets(row: Mapping[str, Any]) -> dict[str, Any]:
    """An alert's row with all that its sender wrote redacted."""
    return {name: one if name in _OWN else _named(name, one, frozenset()) for name, one in row.items()}


def _named(name: str, value: Any, kept: frozenset[str]) -> Any:
    if isinstance(value, list | tuple):
        return [_named(name, one, kept) for one in value]
    return redacted_value(name, value) if isinstance(value, str) else without_secrets(value, kept=kept)
