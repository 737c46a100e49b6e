"""A function's environment, as its deployment sets it, for a handler that a benchmark runs."""

from collections.abc import Mapping
from typing import Final

from handlers.settings import (
    AnalysisSettings,
    DistributionSettings,
    ReceptionSettings,
    RecoverySettings,
    variable,
)
from topology.config import StackConfig
from topology.heartbeats import encoded_heartbeats
from topology.names import Names
from topology.queues import WORK_QUEUES
from topology.routes import encoded_routes
from topology.silences import packed_silences
from topology.sources import encoded_sources
from topology.tables import ALERTS, ANALYSIS_CACHE, COORDINATION

REGION: Final = "us-east-1"
CONFIG: Final = StackConfig.parse(
    stack="prod",
    raw={"primaryRegion": REGION, "failoverRegion": "us-west-2", "witnessRegion": "us-east-2"},
)
_EVERY: Final = (ReceptionSettings, AnalysisSettings, DistributionSettings, RecoverySettings)


def environment(endpoint_url: str | None = None) -> Mapping[str, str]:
    """The settings of all functions, of which each takes its own, and what Lambda sets.

    `endpoint_url` stands for AWS and for Slack; without it nothing may be called.
    """
    names, config = Names(CONFIG.stack), CONFIG
    queues = f"https://sqs.{REGION}.amazonaws.com/123456789012"
    values = {
        "stack": config.stack,
        "peer_region": config.failover_region,
        "alerts_table": names.table(ALERTS),
        "analysis_cache_table": names.table(ANALYSIS_CACHE),
        "coordination_table": names.table(COORDINATION),
        "ledger_consistency": config.ledger_consistency,
        "alert_sources": encoded_sources(config.sources),
        "heartbeats": encoded_heartbeats(config.heartbeats),
        "alert_routes": encoded_routes(config.routes),
        "alert_silences": packed_silences(config.silences),
        "slack_edits": "false",
        "escalation_topic_arn": f"arn:aws:sns:{REGION}:123456789012:escalation",
        "redact_emails": str(config.redact_emails).lower(),
        "alarm_topic_arn": f"arn:aws:sns:{REGION}:123456789012:alarms",
        "anthropic_key_secret": names.anthropic_key_secret,
        "claude_model": config.claude_model,
        "slack_webhook_secret": names.slack_webhook_secret,
        "slack_webhook_origin": f"{endpoint_url or 'https://hooks.slack.com'}/",
        "slack_channel": "",
        "slack_bot_token_secret": names.slack_bot_token_secret,
        "aws_region": REGION,
        **{
            f"{spec.key.replace('-', '_')}_queue_url": f"{queues}/{names.queue(spec)}" for spec in WORK_QUEUES
        },
    }
    declared = {field for settings in _EVERY for field in settings.__struct_fields__}
    values |= {field: str(getattr(config, field)) for field in declared - values.keys()}
    keys = {"AWS_ACCESS_KEY_ID": "bench", "AWS_SECRET_ACCESS_KEY": "bench", "AWS_SESSION_TOKEN": "bench"}
    called = {"AWS_DEFAULT_REGION": REGION, **({"AWS_ENDPOINT_URL": endpoint_url} if endpoint_url else {})}
    return {variable(name): value for name, value in values.items()} | keys | called
