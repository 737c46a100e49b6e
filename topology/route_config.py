"""Routes as a stack's configuration has them: their form, with every problem reported together."""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from topology.config_keys import CHANNEL_ID
from topology.config_lists import SHOWN_CHARS, decoded_list, refusal, repeated_names
from topology.matchers import Matcher, parse_matcher
from topology.names import SLACK_WEBHOOK
from topology.routes import DEFAULT_ROUTE, MAX_ROUTES, MAX_ROUTES_CHARS, RouteSpec, encoded_routes

ROUTES_KEY: Final = "routes"
"""Pulumi.yaml does not declare it, as with `topology.source_config.SOURCES_KEY`."""

_NAME: Final = re.compile(r"[a-z]([a-z0-9-]{0,38}[a-z0-9])?")
_FIELDS: Final = "name, match, webhookSecret, channel, retired"


def parse_routes(raw: object, problems: list[str], *, bot: bool) -> tuple[RouteSpec, ...]:
    """The routes of the configuration, in order, after adding what is wrong in them to `problems`.

    `raw` is a list of mappings, or its JSON text, as Pulumi hands it over; None or empty for no routes.
    `bot`: whether the stack has a bot, which posts to channels by their id.
    """
    given = decoded_list(raw)
    if not isinstance(given, list) or len(given) > MAX_ROUTES:
        problems.append(refusal(ROUTES_KEY, raw, f"a list of at most {MAX_ROUTES} mappings with {_FIELDS}"))
        return ()
    routes, sound = [], []
    for number, value in enumerate(given):
        before = len(problems)
        route = _route(number, value, problems, bot=bot)
        routes.append(route)
        sound += [route] if len(problems) == before else []
    problems += repeated_names(ROUTES_KEY, [route.name for route in routes])
    problems += [*_secret_problems(routes), *_unreachable(sound)]
    if (length := len(encoded_routes(routes))) > MAX_ROUTES_CHARS:
        problems.append(
            f"{ROUTES_KEY}: together they take {length} characters of a function's environment; allowed: at "
            f"most {MAX_ROUTES_CHARS}; say less in their matchers"
        )
    return tuple(routes)


def _route(number: int, value: object, problems: list[str], *, bot: bool) -> RouteSpec:
    """One route; what is wrong in it is left out of it, so that what else is wrong is found too."""
    place = f"{ROUTES_KEY}[{number}]"
    if not isinstance(value, Mapping):
        problems.append(refusal(place, value, f"a mapping with {_FIELDS}"))
        return RouteSpec(name="", match=Matcher(), channel="unknown")
    name, retired = value.get("name"), value.get("retired", False)
    if isinstance(name, str) and _NAME.fullmatch(name) and name != DEFAULT_ROUTE:
        place = f"{place} ({name})"
    else:
        allowed = f"up to 40 of a-z, 0-9 and -, a letter first, and not {DEFAULT_ROUTE!r}"
        problems.append(refusal(f"{place}.name", name, allowed))
        name = ""
    unknown = sorted(str(key)[:SHOWN_CHARS] for key in value.keys() - set(_FIELDS.split(", ")))
    problems += [f"{place}.{key}: unknown field; allowed: {_FIELDS}" for key in unknown]
    if not isinstance(retired, bool):
        problems.append(refusal(f"{place}.retired", retired, "true or false"))
    needs_match = "match" in value or retired is not True
    match = parse_matcher(f"{place}.match", value.get("match"), problems) if needs_match else Matcher()
    if "channel" in value:
        problems += _channel_problems(place, value, bot=bot)
        return RouteSpec(name=name, match=match, channel=str(value["channel"]), retired=retired is True)
    secret = value.get("webhookSecret", f"{SLACK_WEBHOOK}-{name}" if name else SLACK_WEBHOOK)
    return RouteSpec(name=name, match=match, secret=str(secret), retired=retired is True)


def _channel_problems(place: str, value: Mapping[str, object], *, bot: bool) -> list[str]:
    problems, channel = [], value["channel"]
    if not isinstance(channel, str) or not CHANNEL_ID.fullmatch(channel):
        problems.append(refusal(f"{place}.channel", channel, "a channel's id such as C0123456789"))
    if "webhookSecret" in value:
        problems.append(f"{place}.channel: webhookSecret is there too; allowed: one of the two")
    if not bot:
        problems.append(
            f"{place}.channel: only a bot posts to a channel by its id, and this stack has none; allowed: "
            "slackChannel besides, or no channel here and a webhook in the route's secret"
        )
    return problems


def _unreachable(routes: Sequence[RouteSpec]) -> list[str]:
    """Routes that no alert comes to. `routes` are those with nothing wrong in them."""
    active, problems = [route for route in routes if not route.retired], []
    for index, route in enumerate(active):
        if taken := next((other for other in active[:index] if other.match.covers(route.match)), None):
            problems.append(
                f"{ROUTES_KEY}: no alert comes to {route.name!r}, as {taken.name!r} before it takes all that "
                f"it matches; allowed: {route.name!r} before {taken.name!r}, or another matcher"
            )
    return problems


def _secret_problems(routes: Sequence[RouteSpec]) -> list[str]:
    by_webhook = [route for route in routes if not route.channel]
    secrets = dict.fromkeys(
        [SLACK_WEBHOOK, *(f"{SLACK_WEBHOOK}-{route.name}" for route in by_webhook if route.name)]
    )
    return [
        f"{ROUTES_KEY}: {route.name!r} names the secret {route.secret[:SHOWN_CHARS]!r}, which is none of "
        f"this stack's; allowed: {', '.join(secrets)}"
        for route in by_webhook
        if route.secret not in secrets
    ]
