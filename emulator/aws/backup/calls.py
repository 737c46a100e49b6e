"""Routes the calls of AWS Backup that ministack lacks, or answers without effect, to the handlers here.

`vaults`, `jobs` and `restore_testing` beside it have the handlers; plans and selections stay ministack's.
`emulator.aws.host` installs them in each AWS process; the durable one serves them, so recovery points outlive
a region.
https://docs.aws.amazon.com/aws-backup/latest/devguide/API_Operations_AWS_Backup.html
"""

# ruff: noqa: SLF001 - it corrects ministack, whose functions are private

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ministack.services import backup

from emulator.aws.answers import Answer, RefusalError


@dataclass(frozen=True)
class Request:
    """A call: the parts of its path, its body, its query."""

    path: tuple[str, ...]
    body: Mapping[str, Any]
    query: Mapping[str, str]


Handler = Callable[[Request], "dict[str, Any] | Answer"]
Routes = Mapping[tuple[str, str], Handler]
"""Handlers by method and pattern of path."""


def install(routes: Routes) -> None:
    """Have these calls answered by their handlers, and all others by ministack."""
    compiled = [(method, re.compile(pattern), handler) for (method, pattern), handler in routes.items()]
    otherwise = backup.handle_request

    async def handle(
        method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any]
    ) -> Answer:
        for of_method, pattern, handler in compiled:
            if of_method == method and (match := pattern.fullmatch(path.rstrip("/"))):
                flat = {name: value[0] if isinstance(value, list) else value for name, value in query.items()}
                return _answered(handler, Request(match.groups(), json.loads(body or b"{}"), flat))
        answer: Answer = await otherwise(method, path, headers, body, query)
        return answer

    backup.handle_request = handle


def page(items: list[dict[str, Any]], query: Mapping[str, str], key: str) -> Answer:
    """Make the answer with one page of `items` under `key`."""
    answer: Answer = backup._paginate(items, query, key)
    return answer


def _answered(handler: Handler, request: Request) -> Answer:
    try:
        answer = handler(request)
    except RefusalError as refusal:
        refused: Answer = backup._err(refusal.code, str(refusal), 400)
        return refused
    if isinstance(answer, dict):
        good: Answer = backup._ok(answer)
        return good
    return answer
