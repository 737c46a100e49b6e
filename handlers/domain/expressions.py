"""JMESPath over bodies of strangers, evaluated in a bounded number of steps.

https://jmespath.org/specification.html

The library comes with botocore; who imports this module pays for it (`handlers.domain.configured`
does when a configured source is first asked).
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

from jmespath import compile as compile_expression
from jmespath.exceptions import JMESPathError, ParseError
from jmespath.functions import Functions
from jmespath.visitor import TreeInterpreter

MAX_STEPS: Final = 500_000
"""Of all expressions over one body. A step is a part of an expression evaluated once, or four elements or 64
characters of what it yields: a thousand alerts by fifteen short paths take 20,000, ten thousand empty ones
415,000. All of them took 1.2 s on a busy machine."""

MAX_MATCH_STEPS: Final = 20_000
"""Of one expression that asks whose body it is, which is asked of every source in turn."""

MAX_NODES: Final = 80
"""Parts of one expression: nobody reads more, and Python's stack has room for it."""

_LIST_ELEMENTS_A_STEP: Final = 4
_CHARS_A_STEP: Final = 64

EVALUATION_ERRORS: Final = (
    JMESPathError,
    ArithmeticError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    RecursionError,
)
"""What evaluating raises over values that an expression does not expect; some of it is Python's own."""


class TooManyStepsError(Exception):
    """The body takes more steps than there are."""


class Evaluation(TreeInterpreter):  # type: ignore[misc]  # the library has no types
    """Evaluates expressions over one body, within so many steps in all."""

    def __init__(self, steps: int = MAX_STEPS) -> None:
        """Begin with all steps."""
        super().__init__()
        self._left = steps

    def value(self, expression: str, of: Any) -> Any:
        """What the expression yields.

        Raises:
            TooManyStepsError: no steps are left.
            EVALUATION_ERRORS: the body has values that the expression does not expect.
        """
        return self.visit(parsed(expression), of)

    def visit(self, node: Mapping[str, Any], *args: Any, **kwargs: Any) -> Any:
        """Evaluate one part; every part and every function's argument comes through here."""
        if self._left <= 0:
            raise TooManyStepsError
        value = super().visit(node, *args, **kwargs)
        self._left -= 1
        if isinstance(value, list):
            self._left -= len(value) // _LIST_ELEMENTS_A_STEP
        elif isinstance(value, str):
            self._left -= len(value) // _CHARS_A_STEP
        return value


@lru_cache(maxsize=1_024)
def parsed(expression: str) -> Mapping[str, Any]:
    """The expression's tree.

    Raises:
        JMESPathError: it is none.
    """
    tree: Mapping[str, Any] = compile_expression(expression).parsed
    return tree


def problem_of(expression: str) -> str | None:
    """What keeps the expression from being evaluated, in words; None if nothing does."""
    try:
        nodes = list(_nodes(parsed(expression)))
    except ParseError as error:
        said = getattr(error, "message", None) or error.msg
        return f"it is no JMESPath: {str(said).lower()}, at character {error.lex_position + 1}"
    except (JMESPathError, RecursionError) as error:
        return f"it is no JMESPath: {str(error).partition(chr(10))[0]}"
    if len(nodes) > MAX_NODES:
        return f"it has {len(nodes)} parts; allowed: at most {MAX_NODES}"
    problems = (_problem_of_node(node) for node in nodes)
    return next((problem for problem in problems if problem), None)


def _nodes(node: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(node, Mapping):
        yield node
        for child in node.get("children", ()):
            yield from _nodes(child)


def _problem_of_node(node: Mapping[str, Any]) -> str | None:
    if node["type"] == "slice" and node["children"][2] == 0:
        return "a slice has no step of 0"
    if node["type"] != "function_expression":
        return None
    known = Functions.FUNCTION_TABLE.get(node["value"])
    if known is None:
        return (
            f"there is no function {node['value']!r}; allowed: {', '.join(sorted(Functions.FUNCTION_TABLE))}"
        )
    signature, given = known["signature"], len(node["children"])
    variadic = bool(signature) and signature[-1].get("variadic", False)
    if given < len(signature) or (given > len(signature) and not variadic):
        least = "at least " if variadic else ""
        return f"{node['value']}() takes {least}{len(signature)} arguments, and has {given}"
    return None
