"""What each function is told by its environment: one frozen object a function, read once at cold start.

The Pulumi components write the same variables (`variable`), so a setting is named in one place.
The Pulumi program imports this module too.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, Literal, Self

import msgspec
from msgspec import structs

if TYPE_CHECKING:
    from topology.heartbeats import HeartbeatSpec
    from topology.routes import RouteSpec
    from topology.silences import Silence
    from topology.sources import SourceSpec

_BOOLEANS: Final = {"true": True, "false": False}


class SettingsError(Exception):
    """The function's environment is incomplete or wrong: nothing can be processed until it is redeployed."""


def variable(field_name: str) -> str:
    """The environment variable of a settings field."""
    return field_name.upper()


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What every function needs."""

    stack: str
    peer_region: str
    alerts_table: str
    ledger_consistency: Literal["strong", "eventual"]
    lease_s: int
    takeover_after_s: int
    coordination_table: str
    processing_queue_url: str
    processing_critical_queue_url: str
    distribution_queue_url: str
    distribution_critical_queue_url: str
    aws_region: str
    """Set by Lambda itself, never by the deployment."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Read every field, converting whole numbers and `true` or `false`.

        Raises:
            SettingsError: naming each variable that is missing or of another type.
        """
        values: dict[str, object] = {}
        problems: list[str] = []
        for field in structs.fields(cls):
            text = environment.get(variable(field.name))
            if text is None:
                if field.required:
                    problems.append(f"{variable(field.name)} is missing")
                continue
            if field.type is int:
                if not text.isdigit():
                    problems.append(f"{variable(field.name)} is {text!r}, not a whole number")
                    continue
                values[field.name] = int(text)
            elif field.type is bool:
                if text not in _BOOLEANS:
                    problems.append(f"{variable(field.name)} is {text!r}, neither true nor false")
                    continue
                values[field.name] = _BOOLEANS[text]
            else:
                values[field.name] = text
        if problems:
            raise SettingsError(f"environment of the function: {'; '.join(problems)}; deploy the stack again")
        return cls(**values)  # type: ignore[arg-type]  # the loop above has checked names and types

    @classmethod
    def deployed_fields(cls) -> frozenset[str]:
        """The fields that the deployment must set: all but what Lambda sets itself."""
        return frozenset(field.name for field in structs.fields(cls)) - {"aws_region"}


class IntakeSettings(Settings, frozen=True, kw_only=True):
    """Of the functions that accept alerts. `heartbeats`: as `topology.heartbeats` encodes them."""

    dedupe_event_window_s: int
    dedupe_content_window_s: int
    source_quota_per_minute: int
    heartbeats: str = ""

    @property
    def heartbeat_specs(self) -> tuple["HeartbeatSpec", ...]:
        """The heartbeats that the stack's configuration declares."""
        if not self.heartbeats:
            return ()
        from topology.heartbeats import decoded_heartbeats  # noqa: PLC0415 - for heartbeats only

        return decoded_heartbeats(self.heartbeats)


class ReceptionSettings(IntakeSettings, frozen=True, kw_only=True):
    """Of the reception function. `alarm_topic_arn`: the one SNS topic it takes alarms from.

    `alert_sources`: the configured sources, as `topology.sources` encodes them.
    """

    hold_back_s: int
    alarm_topic_arn: str
    alert_sources: str = ""

    @property
    def sources(self) -> tuple["SourceSpec", ...]:
        """The sources that the stack's configuration describes."""
        if not self.alert_sources:
            return ()
        from topology.sources import decoded_sources  # noqa: PLC0415 - 2 % of a cold start, for sources only

        return decoded_sources(self.alert_sources)


class RoutedSettings(Settings, frozen=True, kw_only=True):
    """Of a function that knows of routes. `alert_routes`: as `topology.routes` encodes them."""

    alert_routes: str = ""

    @property
    def routes(self) -> tuple["RouteSpec", ...]:
        """The routes that the stack's configuration has."""
        if not self.alert_routes:
            return ()
        from topology.routes import decoded_routes  # noqa: PLC0415 - as `ReceptionSettings.sources`

        return decoded_routes(self.alert_routes)


class AnalysisSettings(RoutedSettings, frozen=True, kw_only=True):
    """Of the analysis function. `anthropic_key_secret` is a secret's name, never its value.

    `critical_patience_s`: how long a CRITICAL alert waits for its analysis before it goes out without.
    `redact_emails`: whether the model is shown no e-mail addresses. `slack_edits`: whether a bot posts to the
    default channel, which can edit. `alert_silences`: the configured ones, as `topology.silences` packs them.
    """

    analysis_cache_table: str
    anthropic_key_secret: str
    claude_model: str
    cache_ttl_s: int
    critical_patience_s: int
    incident_window_s: int
    redact_emails: bool = True
    slack_edits: bool = False
    alert_silences: str = ""

    @property
    def silences(self) -> tuple["Silence", ...]:
        """The silences that the stack's configuration describes."""
        if not self.alert_silences:
            return ()
        from topology.silences import unpacked_silences  # noqa: PLC0415 - as `RoutedSettings.routes`

        return unpacked_silences(self.alert_silences)


class DistributionSettings(RoutedSettings, frozen=True, kw_only=True):
    """Of the distribution function. `slack_webhook_origin`: what the URL in the secret must start with.

    `slack_channel`: where the bot posts whose token is in `slack_bot_token_secret`; empty for the webhook.
    `redact_emails`: whether Slack is shown no e-mail addresses. `escalate_after_s`: how long people have to
    acknowledge a CRITICAL alert before it goes a second way; 0: it never does.
    """

    slack_webhook_secret: str
    slack_webhook_origin: str
    slack_interval_ms: int
    incident_window_s: int
    slack_channel: str
    slack_bot_token_secret: str
    escalate_after_s: int
    redact_emails: bool = True

    @property
    def slack_api_url(self) -> str:
        """Slack's Web API beside the webhooks' origin: `https://slack.com/api/` for `https://hooks.slack.com/`.

        https://docs.slack.dev/govslack has it so for the other Slack too.
        """
        return self.slack_webhook_origin.replace("//hooks.", "//") + "api/"

    def webhook_secret_of(self, route: "RouteSpec") -> str:
        """The whole name of the secret with the webhook of `route`."""
        from topology.names import Names  # noqa: PLC0415 - as `routes`

        return Names(self.stack).route_secret(route.secret)


class RecoverySettings(IntakeSettings, frozen=True, kw_only=True):
    """Of the recovery function. `synthetic_interval_s`: 0 for no synthetic alerts.

    `escalate_after_s`: when a CRITICAL alert goes a second way; 0: never. `redact_emails`: whether who is
    told by it is shown no e-mail addresses.
    """

    primary_region: str
    synthetic_interval_s: int
    escalation_topic_arn: str
    escalate_after_s: int
    redact_emails: bool = True
