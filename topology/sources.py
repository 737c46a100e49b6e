"""Sources that the stack's configuration describes: where in their bodies is what.

`topology.source_config` makes them of the configuration, the deployment puts them into reception's
environment, and `handlers.domain.configured` reads bodies by them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Final, Self

from topology.packing import packed, unpacked

MAX_SOURCES_CHARS: Final = 2_048
"""Of all sources in reception's environment; its other variables take 860 of Lambda's 4,096 bytes
(`topology.limits.LAMBDA_ENVIRONMENT_MAX_BYTES`). One source of fifteen paths takes 384, ten alike 548."""

_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


@dataclass(frozen=True, kw_only=True)
class SourceSpec:
    """One source. What is no name, header, word or kind of link is a JMESPath; empty: the source has none.

    `match` is true of the source's bodies, and `header`, as `name: value`, begins so in its requests; with
    both, both hold; with neither, only the request's `x-alert-source` chooses it. `alerts` finds the members
    of a group, in which the others look. `severities` and `resolved` are the sender's words, in lower case.
    `ignore` is true of what is no alert. https://jmespath.org/specification.html
    """

    name: str
    title: str
    match: str = ""
    header: str = ""
    alerts: str = ""
    ignore: str = ""
    message: str = ""
    severity: str = ""
    status: str = ""
    event_id: str = ""
    started_at: str = ""
    component: str = ""
    host: str = ""
    labels: str = ""
    severities: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    resolved: tuple[str, ...] = ()
    links: Mapping[str, str] = field(default_factory=lambda: _NOTHING)

    @classmethod
    def of(cls, given: Mapping[str, object]) -> Self:
        """Make one of what `encoded_sources` wrote, or of what was checked."""
        words = given.get("resolved", ())
        assert isinstance(words, list | tuple)  # noqa: S101 - of our own making
        return cls(**{**given, "resolved": tuple(words)})  # type: ignore[arg-type]

    @property
    def expressions(self) -> Mapping[str, str]:
        """Every JMESPath of it that is not empty, by its place in the configuration."""
        texts = {name: getattr(self, name) for name in EXPRESSIONS}
        texts |= {f"links.{kind}": path for kind, path in self.links.items()}
        return {place: text for place, text in texts.items() if text}


_NO_EXPRESSIONS: Final = frozenset({"name", "header", "severities", "resolved", "links"})
EXPRESSIONS: Final = tuple(part.name for part in fields(SourceSpec) if part.name not in _NO_EXPRESSIONS)
"""The fields that hold one JMESPath."""


def encoded_sources(sources: Sequence[SourceSpec]) -> str:
    """The value of a variable of the environment; empty for no sources."""
    return packed([vars(source) for source in sources])


def decoded_sources(text: str) -> tuple[SourceSpec, ...]:
    """Read what `encoded_sources` wrote."""
    return tuple(map(SourceSpec.of, unpacked(text)))
