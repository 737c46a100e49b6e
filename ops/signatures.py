"""What a command takes and says of itself; its help must not cost the import of what it works with.

Of a command's module run only the statements that its signature needs, and of the modules of ours that these
import likewise; a command's own body is left out. `ops.lazy` asks for it where `--help` is typed. Sources are
those of the checkout, whose imports are absolute.
"""

import ast
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, Final

_OURS: Final = Path(__file__).resolve().parent.parent


class SourceModule:
    """A module whose attributes come from those statements of its source alone that they need."""

    def __init__(self, name: str, source: Path) -> None:
        """Run nothing yet."""
        self._source = source
        self._body = ast.parse(source.read_text(encoding="utf-8")).body
        self._run: list[ast.stmt] = []
        self._attributes: dict[str, Any] = {"__name__": name, "__file__": str(source)}

    def __getattr__(self, name: str) -> Any:
        """Return an attribute, made now if it was not before."""
        if name not in self._attributes:
            self._make(name)
        try:
            return self._attributes[name]
        except KeyError as error:
            raise AttributeError(f"{self._source} has no {name}") from error

    def command(self, name: str) -> Any:
        """Return the function of a command, or a Typer group with its commands, that do nothing."""
        for node in self._body:
            if isinstance(node, ast.FunctionDef) and (node.name == name or _groups(node)):
                node.body = [ast.Expr(ast.Constant(ast.get_docstring(node) or ""))]
        self._make(name)
        return self._attributes[name]

    def _make(self, name: str) -> None:
        needed, wanted = {name}, set[ast.stmt]()
        while more := [n for n in self._body if n not in wanted and _bound(n) & needed]:
            wanted.update(more)
            needed.update(w.id for n in more for w in ast.walk(n) if isinstance(w, ast.Name))
        for node in self._body:
            if node not in wanted or node in self._run:
                continue
            if isinstance(node, ast.ImportFrom) and node.module:
                for alias in node.names:
                    if (as_name := alias.asname or alias.name) in needed:
                        self._attributes[as_name] = _imported(node.module, alias.name)
                continue
            self._run.append(node)
            code = compile(ast.fix_missing_locations(ast.Module([node], [])), self._source, "exec")
            exec(code, self._attributes)  # noqa: S102 - the project's own source, as an import runs it


@cache
def source_module(name: str) -> SourceModule | None:
    """The module of ours by that name; None if it is another's."""
    path = _OURS.joinpath(*name.split("."))
    sources = path.with_suffix(".py"), path / "__init__.py"
    return next((SourceModule(name, source) for source in sources if source.is_file()), None)


def _imported(module: str, name: str) -> Any:
    submodule = source_module(f"{module}.{name}")
    if submodule is not None:
        return submodule
    ours = source_module(module)
    return getattr(ours if ours is not None else import_module(module), name)


def _bound(node: ast.stmt) -> set[str]:
    """The names that a statement makes, or adds a command to."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        return {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return {node.name} | _groups(node)
    return {w.id for w in ast.walk(node) if isinstance(w, ast.Name) and isinstance(w.ctx, ast.Store)}


def _groups(node: ast.FunctionDef | ast.ClassDef) -> set[str]:
    """The groups that a function adds itself to, such as `app` by `@app.command()`."""
    called = (d.func for d in node.decorator_list if isinstance(d, ast.Call))
    added = (c for c in called if isinstance(c, ast.Attribute) and c.attr in {"command", "callback"})
    return {c.value.id for c in added if isinstance(c.value, ast.Name)}
