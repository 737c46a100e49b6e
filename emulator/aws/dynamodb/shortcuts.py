"""What ministack's DynamoDB works out anew in each call, once or in a plainer way; its answers are the same.

An update copied its item six times by `copy.deepcopy`, which keeps a record of what it has seen, for objects
that refer to each other; items are JSON, and do not. An expression was split and checked anew for each item
of a query. Together they were more than half of what DynamoDB took of a storm's processor time. The records
of streams, which nobody here can read by an event source, took 280 KB an alert.
"""

# ruff: noqa: SLF001 - it replaces ministack's functions, which are private

import copy
import functools
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, Final

from ministack.services import dynamodb

EXPRESSIONS_KEPT: Final = 4_096
"""Far more than the handlers' adapters can make."""

STREAM_KEPT_S: Final = 10
"""AWS keeps a stream's records for a day; `emulator.deviations` says that they are gone sooner here."""

_ATOMS: Final = frozenset({str, int, float, bool, type(None)})

Token = tuple[str, str]


def install() -> None:
    """Have ministack's DynamoDB use these."""
    dynamodb._STREAM_RETENTION_SECONDS = STREAM_KEPT_S
    dynamodb.copy = SimpleNamespace(deepcopy=copied)
    split = functools.lru_cache(EXPRESSIONS_KEPT)(dynamodb._tokenize)
    dynamodb._tokenize = lambda expression: [*split(expression)]
    dynamodb._condition_syntax_error = functools.lru_cache(EXPRESSIONS_KEPT)(dynamodb._condition_syntax_error)
    dynamodb._check_redundant_parens = _remembered(dynamodb._check_redundant_parens)
    dynamodb._check_reserved_keyword_usage = _remembered(dynamodb._check_reserved_keyword_usage)


def copied(value: Any) -> Any:
    """A copy of `value` that shares nothing with it that can be changed."""
    kind = type(value)
    if kind in _ATOMS:
        return value
    if kind is dict:
        return {key: copied(item) for key, item in value.items()}
    if kind is list:
        return [copied(item) for item in value]
    return copy.deepcopy(value)


def _remembered(check: Callable[..., str | None]) -> Callable[..., str | None]:
    """`check` of the tokens of an expression, asked once for each."""

    @functools.lru_cache(EXPRESSIONS_KEPT)
    def checked(tokens: tuple[Token, ...], *more: str) -> str | None:
        return check([*tokens], *more)

    return lambda tokens, *more: checked(tuple(tokens), *more)
