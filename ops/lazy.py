"""Groups of commands that are imported when they are called for.

All of them together import for more than a second, each alone for a fraction of it. Every `--help` reads from
their sources what they say of themselves, and imports none.
"""

import ast
import re
from collections import UserDict
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command, get_group

from ops.signatures import source_module

Target = str | typer.Typer
"""A group, or the path `package.module:name` of a group or of a command's function."""


def lazy_group(about: str, targets: Mapping[str, Target]) -> typer.Typer:
    """Make a group of the commands and groups in `targets`, by name; `about` is its help."""

    class Group(TyperGroup):
        def __init__(self, **settings: Any) -> None:
            super().__init__(**settings)
            self.commands = _Commands(targets)

        def format_help(self, ctx: Any, formatter: Any) -> None:
            commands, self.commands = (
                self.commands,
                {
                    name: TyperCommand(name, help=_in_paragraphs(_about(target)))
                    for name, target in targets.items()
                },
            )
            try:
                super().format_help(ctx, formatter)
            finally:
                self.commands = commands

        def resolve_command(self, ctx: Any, args: list[str]) -> Any:
            name, *rest = args
            target = targets.get(name)
            if isinstance(target, str) and "--help" in rest:
                described = _command(name, _described(target))
                with described.make_context(name, rest, parent=ctx) as own:
                    described.invoke(own)  # ends here, unless `--help` is the value of an option
            return super().resolve_command(ctx, args)

    group = typer.Typer(help=about, cls=Group, no_args_is_help=True, pretty_exceptions_enable=False)
    group.callback()(_nothing)
    return group


def _nothing() -> None:
    """Do nothing: Typer makes a group only of what has commands or a callback."""


def _about(target: Target) -> str:
    """What a command's docstring says, or a group's help, without an import."""
    if isinstance(target, typer.Typer):
        return str(target.info.help)
    module, _, name = target.partition(":")
    spec = find_spec(module)
    source = Path(spec.origin).read_text(encoding="utf-8") if spec and spec.origin else ""
    return next(_texts_of(ast.parse(source), name), "")


def _texts_of(module: ast.Module, name: str) -> Iterator[str]:
    for node in module.body:
        if isinstance(node, ast.FunctionDef) and node.name == name:
            yield ast.get_docstring(node) or ""
        elif (
            isinstance(node, ast.Assign)
            and isinstance(node.value, ast.Call)
            and any(isinstance(named, ast.Name) and named.id == name for named in node.targets)
        ):
            given = [word.value for word in node.value.keywords if word.arg == "help"] + node.value.args
            yield from (str(text.value) for text in given if isinstance(text, ast.Constant))


def _in_paragraphs(text: str) -> str:
    """The text of a docstring whose lines are as long as the terminal has them; lists stay lists."""
    return re.sub(r"(?<!\n)\n(?!\s|- )", " ", text)


def _described(target: str) -> Any:
    """What `target` names, as its source has it, with nothing in it that acts."""
    module, _, name = target.partition(":")
    source = source_module(module)
    return source.command(name) if source else resolve_name(target)


def _command(name: str, made_of: Any) -> Any:
    """Typer's command, or group of commands, by that name."""
    command = made_of
    if isinstance(made_of, typer.Typer):
        command = get_group(made_of)
    elif not isinstance(made_of, TyperCommand | TyperGroup):
        single = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
        single.command(name)(made_of)
        command = get_command(single)
    command.name, command.help = name, _in_paragraphs(command.help or "")
    return command


class _Commands(UserDict[str, Any]):
    """The commands of Typer's group by name; each is imported when it is first looked up."""

    def __getitem__(self, name: str) -> Any:
        """Return a command, imported now if it was not before."""
        command = self.data[name]
        if not isinstance(command, TyperCommand | TyperGroup):
            command = _command(name, resolve_name(command) if isinstance(command, str) else command)
            self.data[name] = command
        return command
