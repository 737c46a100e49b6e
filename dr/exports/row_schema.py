"""The number of the rows' form, `schema`: rows of another one are read by the release that wrote them.

Checks of exports and scans of tables ask it, so that restore, comparison and rebuild refuse such rows before
anything is written.
"""

from collections.abc import Mapping
from typing import Any, Final

from topology.alerts import SCHEMA, SCHEMA_ATTRIBUTE
from topology.errors import ExplainedError

NONE: Final = "0 (none)"
"""How a row without a number is shown; no release ever wrote 0."""

SCHEMA_TEXT: Final = f'"{SCHEMA_ATTRIBUTE}":{{"N":"{SCHEMA}"}}'.encode()
"""The attribute as an export has it."""


class OtherSchemaError(ExplainedError):
    """Rows are of a form that this release does not read; nothing was written."""


def other_schema(item: Mapping[str, Any]) -> str | None:
    """The number that an item in DynamoDB's JSON carries, if it is not this release's."""
    value = item.get(SCHEMA_ATTRIBUTE)
    if value == {"N": str(SCHEMA)}:
        return None
    return NONE if value is None else str(value.get("N", value) if isinstance(value, Mapping) else value)


def refusal(number: str) -> str:
    """What is wrong with a state that holds rows of another `number`, and what to do."""
    return f"rows are of schema {number}, and this release reads {SCHEMA}: use the release that wrote them"
