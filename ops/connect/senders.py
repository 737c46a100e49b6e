"""The senders that `responder connect` knows, from `senders.yaml`: a template, its formats, and what to do.

A template is a file in `templates/`, its sender's own syntax but for names between at signs. Lines between
`@each@` and `@end@` are there for each address of the stack; a template without them is there for each as a
whole. docs/senders.md says why its settings are what they are, and has the sources.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Final

import yaml

NO_KEY: Final = "YOUR-API-KEY"
_BLOCK: Final = re.compile(r"^@each@\n(.*?)^@end@\n", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Address:
    """Where a sender posts to. `role`: the region's, or `both` for the name that fails over by itself."""

    role: str
    region: str
    url: str
    key: str
    topic: str


@dataclass(frozen=True)
class Sender:
    """One sender. `formats`: what its bodies are recognised as; `steps`: what a person does, in order.

    `pattern`: of events, where the template is about some. `each_region`: it is set up in each region, even
    where one name stands for both.
    """

    name: str
    template: str
    formats: tuple[str, ...]
    steps: tuple[str, ...]
    pattern: str = ""
    each_region: bool = False

    def configuration(self, addresses: Sequence[Address], *, secret: str = "") -> str:
        """What the sender is told, ready to be pasted. `secret`: a path that nobody guesses, for a proxy."""
        text = files(__package__).joinpath("templates", self.template).read_text(encoding="utf-8")
        text = text.replace("@PATTERN@", self.pattern).replace("@SECRET@", secret)
        if not _BLOCK.search(text):
            return "\n".join(_filled(text, address) for address in addresses)
        return _BLOCK.sub(lambda block: "".join(_filled(block[1], address) for address in addresses), text)


def _filled(text: str, address: Address) -> str:
    for name, value in {
        "URL": address.url,
        "KEY": address.key,
        "HOST": address.url.partition("://")[2].partition("/")[0],
        "REGION": address.region,
        "TOPIC": address.topic,
        "ROLE": address.role,
        "ROLE_NAME": address.role.title(),
        "ROLE_CAPITALS": address.role.upper(),
    }.items():
        text = text.replace(f"@{name}@", value)
    return text


def _read() -> dict[str, Sender]:
    text = files(__package__).joinpath("senders.yaml").read_text(encoding="utf-8")
    return {
        name: Sender(
            **{**given, "name": name, "formats": tuple(given["formats"]), "steps": tuple(given["steps"])}
        )
        for name, given in yaml.safe_load(text).items()
    }


SENDERS: Final = _read()
