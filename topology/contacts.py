"""Whom to call: a stack's contacts, as its configuration has them. Alarms and the command line show them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from topology.config_lists import SHOWN_CHARS, decoded_list, refusal, repeated_names

CONTACTS_KEY: Final = "contacts"
"""Pulumi.yaml does not declare it, as with `topology.source_config.SOURCES_KEY`."""

MAX_CONTACTS: Final = 8
MAX_CONTACTS_CHARS: Final = 500
"""Of all of them in one line, which ends each alarm's description: CloudWatch takes 1,024 characters.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html"""

_FIELDS: Final = ("who", "reach")
_ALLOWED: Final = " and ".join(_FIELDS)


@dataclass(frozen=True, kw_only=True)
class Contact:
    """Somebody to call. `who`: a role or a name; `reach`: a number, an address, a channel, a case."""

    who: str
    reach: str


def parse_contacts(raw: object, problems: list[str]) -> tuple[Contact, ...]:
    """The contacts of the configuration, in order, after adding what is wrong in them to `problems`.

    `raw` is a list of mappings, or its JSON text, as Pulumi hands it over; None or empty for no contacts.
    """
    given = decoded_list(raw)
    if not isinstance(given, list) or len(given) > MAX_CONTACTS:
        allowed = f"a list of at most {MAX_CONTACTS} mappings with {_ALLOWED}"
        problems.append(refusal(CONTACTS_KEY, raw, allowed))
        return ()
    contacts = [_contact(f"{CONTACTS_KEY}[{number}]", one, problems) for number, one in enumerate(given)]
    problems += repeated_names(CONTACTS_KEY, [contact.who for contact in contacts])
    if (length := len(in_one_line(contacts))) > MAX_CONTACTS_CHARS:
        problems.append(
            f"{CONTACTS_KEY}: together they take {length} characters of an alarm's description; allowed: at "
            f"most {MAX_CONTACTS_CHARS}; name those who are called first"
        )
    return tuple(contacts)


def in_one_line(contacts: Sequence[Contact]) -> str:
    """The contacts in the order in which they are called; empty for none."""
    called = "; ".join(f"{contact.who}: {contact.reach}" for contact in contacts)
    return f"Contacts: {called}" if called else ""


def _contact(place: str, given: object, problems: list[str]) -> Contact:
    """One contact; what is wrong in it is left out of it, so that what else is wrong is found too."""
    if not isinstance(given, Mapping):
        problems.append(refusal(place, given, f"a mapping with {_ALLOWED}"))
        return Contact(who="", reach="")
    unknown = sorted(str(name) for name in given.keys() - {*_FIELDS})
    problems += [f"{place}.{name[:SHOWN_CHARS]}: unknown field; allowed: {_ALLOWED}" for name in unknown]
    sound = {}
    for field in _FIELDS:
        value = given.get(field)
        if isinstance(value, str) and value.strip() and value.isprintable():
            sound[field] = value.strip()
        else:
            problems.append(refusal(f"{place}.{field}", value, "a text on one line"))
    return Contact(who=sound.get("who", ""), reach=sound.get("reach", ""))
