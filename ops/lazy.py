"""Groups of commands that are imported when they are called for.

All of them together import for more than a second, each alone for a fraction of it; only a group's own
`--help` needs every one of its commands.
"""

from collections import UserDict
from collections.abc import Mapping
from pkgutil import resolve_name
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_command, get_group

Target = str | typer.Typer
"""A group, or where one or a command's function is: `package.module:name`."""


def lazy_group(about: str, targets: Mapping[str, Target]) -> typer.Typer:
    """A group of the commands and groups in `targets`, by name; `about` is its help."""

    class Group(TyperGroup):
        def __init__(self, **settings: Any) -> None:
            super().__init__(**settings)
            self.commands = _Commands(targets)

    group = typer.Typer(help=about, cls=Group, no_args_is_help=True, pretty_exceptions_enable=False)
    group.callback()(_nothing)
    return group


def _nothing() -> None:
    """Typer makes a group only of what has commands or a callback."""


class _Commands(UserDict[str, Any]):
    """What Typer's group looks its commands up in: each is imported when it is first asked for."""

    def __getitem__(self, name: str) -> Any:
        """The command."""
        found = self.data[name]
        if isinstance(found, str):
            found = resolve_name(found)
        if isinstance(found, typer.Typer):
            found = get_group(found)
        elif not isinstance(found, typer.core.TyperCommand | TyperGroup):
            single = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
            single.command(name)(found)
            found = get_command(single)
        found.name = name
        self.data[name] = found
        return found
