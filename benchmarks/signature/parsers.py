"""Ways to group messages, each in its own words: the error signature, and what it is compared with."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from drain3 import TemplateMiner
from drain3.template_miner_config import TemplateMinerConfig
from logfold import Miner

from handlers.domain.signature import normalize, template_of
from handlers.domain.signature.words import read_word

Parser = Callable[[Sequence[str]], Sequence[str]]
"""Takes messages in their order and gives each the name of its group. Keeps nothing from call to call."""

_MASKS: Final = (
    (re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b"), "<ip>"),
    (re.compile(r"\b0x[0-9a-fA-F]+\b"), "<hex>"),
    (re.compile(r"[-+]?\b\d+(?:\.\d+)?\b"), "<n>"),
)


def _signature(messages: Sequence[str]) -> Sequence[str]:
    template_of.cache_clear()
    read_word.cache_clear()
    return [normalize(message) for message in messages]


def _drain3(messages: Sequence[str]) -> Sequence[str]:
    """By the cluster that each message is added to, with the defaults, which mask nothing."""
    miner = TemplateMiner(config=TemplateMinerConfig())
    return [str(miner.add_log_message(message)["cluster_id"]) for message in messages]


def _logfold(messages: Sequence[str]) -> Sequence[str]:
    """By the template that each message matches once all of them are mined, so with hindsight."""
    miner = Miner()
    miner.add_many(messages)
    return ["" if match is None else match.id for match in miner.match_many(messages)]


def _masks(messages: Sequence[str]) -> Sequence[str]:
    """Addresses, hexadecimal and other numbers masked, as Drain's authors mask in their preprocessing."""
    groups = []
    for message in messages:
        text = message
        for pattern, mask in _MASKS:
            text = pattern.sub(mask, text)
        groups.append(text)
    return groups


PARSERS: Final[Mapping[str, Parser]] = {
    "signature": _signature,
    "drain3": _drain3,
    "logfold": _logfold,
    "masks": _masks,
}
"""drain3 and logfold learn from what they have seen, so two processes may disagree; the others do not."""
