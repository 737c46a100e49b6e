"""The distribution function: wake-ups from both distribution queues in, Slack messages out."""

import gc

gc.disable()  # until all is loaded: what imports make stays, and looking for garbage takes its time

import os
from collections.abc import Mapping
from typing import Any, Final

from handlers.adapters.aws.metrics import BatchMetrics, RouteMetric
from handlers.adapters.aws.secrets import Secret
from handlers.adapters.lambda_events.invocation import Context, Event
from handlers.adapters.lambda_events.sqs_batch import work_batch
from handlers.adapters.secret_checks import Probe, checked
from handlers.adapters.slack.bot import SlackBotNotifier
from handlers.adapters.slack.webhook import SlackNotifier
from handlers.adapters.system import ThreadExecutor
from handlers.bootstrap import Parts
from handlers.domain.alert import Step
from handlers.domain.delivery.arrivals import Arrivals
from handlers.domain.delivery.channels import Channel, Channels
from handlers.domain.delivery.distribution import DistributionWork
from handlers.domain.delivery.incidents import Incidents
from handlers.domain.delivery.rate_limit import RateLimiter
from handlers.domain.moves import Actor
from handlers.settings import DistributionSettings
from topology.secret_checks import CHECK_SECRET

_settings: Final = DistributionSettings.from_environment(os.environ)
_parts: Final = Parts.of(_settings, function="distribution", sends_each_time=False)
_bot_token: Final = _parts.secret(_settings.slack_bot_token_secret)


def _channel(route: str, channel_id: str, webhook_secret: str) -> Channel:
    """The channel where a bot posts, or without its id that of a webhook. Its pace is that of `route`."""
    return Channel(
        notifier=SlackBotNotifier(_bot_token, channel=channel_id, api_url=_settings.slack_api_url)
        if channel_id
        else SlackNotifier(_parts.secret(webhook_secret), allowed_origin=_settings.slack_webhook_origin),
        rate_limiter=RateLimiter(
            coordination=_parts.coordination,
            clock=_parts.clock,
            interval_ms=_settings.slack_interval_ms,
            route=route,
        ),
        edits=bool(channel_id),
    )


def _channels() -> Channels:
    """The default channel and those of routes; routes to one channel share it, and so its pace."""
    default = _channel("", _settings.slack_channel, _settings.slack_webhook_secret)
    made = {_settings.slack_channel or _settings.slack_webhook_secret: default}
    by_route: dict[str, Channel] = {}
    for route in _settings.routes:
        secret = "" if route.channel else _settings.webhook_secret_of(route)
        address = route.channel or secret
        if address not in made:
            made[address] = _channel(route.name, route.channel, secret)
        by_route[route.name] = made[address]
    return Channels(default=default, by_route=by_route)


_meter: Final = BatchMetrics(stack=_settings.stack, clock=_parts.clock)
_work: Final = DistributionWork(
    leases=_parts.leases(Actor.DISTRIBUTION, Step.DISTRIBUTION),
    incidents=Incidents(
        ledger=_parts.ledger,
        coordination=_parts.coordination,
        clock=_parts.clock,
        window_s=_settings.incident_window_s,
    ),
    channels=_channels(),
    route_meter=RouteMetric(stack=_settings.stack, clock=_parts.clock),
    meter=_meter,
    arrivals=Arrivals(coordination=_parts.coordination),
    executor=ThreadExecutor(),
    redact_emails=_settings.redact_emails,
    escalate_after_s=_settings.escalate_after_s,
)


def _check_webhook(secret: Secret, within_s: float) -> None:
    SlackNotifier(secret, allowed_origin=_settings.slack_webhook_origin).check(timeout_s=within_s)


def _check_token(secret: Secret, within_s: float) -> None:
    SlackBotNotifier(secret, channel="", api_url=_settings.slack_api_url).check(timeout_s=within_s)


def _probes() -> Mapping[str, Probe]:
    """By the names of this function's secrets."""
    webhooks = [_settings.slack_webhook_secret]
    webhooks += [_settings.webhook_secret_of(route) for route in _settings.routes if not route.channel]
    token = _settings.slack_bot_token_secret
    webhook: Probe = _check_webhook
    return dict.fromkeys(webhooks, webhook) | ({token: _check_token} if token else {})


def handler(event: Event, context: Context) -> dict[str, Any]:
    """Work through one batch; answers which messages to keep in the queue. Or check a secret."""
    if CHECK_SECRET in event:
        return checked(event, secret=_parts.secret, probes=_probes())
    answer = work_batch(
        event, _work.work, chains=_work.chains, executor=_work.executor, context=context, clock=_parts.clock
    )
    _meter.write()
    return answer


gc.freeze()
gc.enable()
