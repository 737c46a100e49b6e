"""Everything one region of the pipeline has; the program makes one for each role."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pulumi

from components.alarm_topic import AlarmTopic
from components.backups.bucket import BackupBucket
from components.backups.schedules import BackupSchedules
from components.backups.vault import BackupVault
from components.escalation_topic import EscalationTopic
from components.functions import Function
from components.global_data import GlobalData
from components.pipeline_alarms import PipelineAlarms
from components.policies import RegionResources, function_grants
from components.queues import Queues
from components.region_context import RegionContext
from components.stack_config import as_given
from components.triggers import Triggers
from components.webhook import Webhook
from handlers.settings import (
    AnalysisSettings,
    DistributionSettings,
    ReceptionSettings,
    RecoverySettings,
    Settings,
    variable,
)
from topology.functions import ANALYSIS, DISTRIBUTION, FUNCTIONS, RECEPTION, RECOVERY, FunctionSpec
from topology.heartbeats import encoded_heartbeats
from topology.outputs import output_key
from topology.queues import (
    DISTRIBUTION_CRITICAL,
    DISTRIBUTION_DLQ,
    DISTRIBUTION_QUEUE,
    PROCESSING,
    PROCESSING_CRITICAL,
    PROCESSING_DLQ,
)
from topology.routes import encoded_routes
from topology.silences import packed_silences
from topology.sources import encoded_sources
from topology.tables import ALERTS, ANALYSIS_CACHE, COORDINATION

SETTINGS: Final[Mapping[FunctionSpec, type[Settings]]] = {
    RECEPTION: ReceptionSettings,
    ANALYSIS: AnalysisSettings,
    DISTRIBUTION: DistributionSettings,
    RECOVERY: RecoverySettings,
}
"""What each function reads from its environment."""


class Region(pulumi.ComponentResource):
    """Webhook, functions, queues, alarms, schedules and backups of one region, over the shared `data`."""

    def __init__(
        self,
        context: RegionContext,
        *,
        data: GlobalData,
        packages: Mapping[FunctionSpec, Path],
        api_key: pulumi.Output[str] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Register the region. `packages` has the zip of each function; `api_key` as in `Webhook`."""
        super().__init__("incident:region:Region", context.region, None, opts)
        self.context = context
        self._data = data
        child = pulumi.ResourceOptions(parent=self)
        self._queues = Queues(context, opts=child)
        self.topic = AlarmTopic(context, opts=child)
        self._escalation = EscalationTopic(context, opts=child)
        PipelineAlarms(context, topic=self.topic, opts=child)
        self.alerts_table = data.table_arn(ALERTS, context.region)
        self.bucket = BackupBucket(context, opts=child)
        self.vault = BackupVault(context, opts=child)
        BackupSchedules(
            context, bucket=self.bucket, alerts_table=self.alerts_table, topic=self.topic, opts=child
        )
        values, resources = self._setting_values(), self._resources()
        self._functions = {
            spec: Function(
                context,
                spec,
                package=packages[spec],
                environment={
                    variable(field): values[field] for field in sorted(SETTINGS[spec].deployed_fields())
                },
                grants=function_grants(spec, resources),
                opts=child,
            )
            for spec in FUNCTIONS
        }
        Triggers(context, functions=self._functions, queues=self._queues, topic=self.topic, opts=child)
        self.webhook = Webhook(context, reception=self._functions[RECEPTION], api_key=api_key, opts=child)
        self.register_outputs({})

    @property
    def outputs(self) -> Mapping[str, pulumi.Input[str]]:
        """Stack outputs by the keys of `topology.outputs.REGIONAL`, named for the region's role."""
        outputs: dict[str, pulumi.Input[str]] = {
            "WebhookUrl": self.webhook.alerts_url,
            "HealthUrl": self.webhook.health_url,
            "SwitchUrl": self.webhook.switch_url,
            "ApiKey": self.webhook.api_key,
            "ProcessingQueueUrl": self._queues.url(PROCESSING),
            "ProcessingCriticalQueueUrl": self._queues.url(PROCESSING_CRITICAL),
            "DeadLetterQueueUrl": self._queues.url(PROCESSING_DLQ),
            "DistributionQueueUrl": self._queues.url(DISTRIBUTION_QUEUE),
            "DistributionCriticalQueueUrl": self._queues.url(DISTRIBUTION_CRITICAL),
            "DistributionDeadLetterQueueUrl": self._queues.url(DISTRIBUTION_DLQ),
            "AlarmTopicArn": self.topic.arn,
            "BackupBucketName": self.bucket.name,
            "BackupVaultName": self.vault.name,
            **{f"{spec.suffix}Name": function.name for spec, function in self._functions.items()},
        }
        return {output_key(key, self.context.role): value for key, value in outputs.items()}

    def _setting_values(self) -> Mapping[str, pulumi.Input[str]]:
        """The value of every setting of every function, by field name; each takes what it declares."""
        context, config, data = self.context, self.context.config, self._data
        return {
            "stack": config.stack,
            "peer_region": config.peer(context.region),
            "alerts_table": data.tables[ALERTS].name,
            "analysis_cache_table": data.tables[ANALYSIS_CACHE].name,
            "coordination_table": data.tables[COORDINATION].name,
            "ledger_consistency": config.ledger_consistency,
            "lease_s": str(config.lease_s),
            "takeover_after_s": str(config.takeover_after_s),
            "processing_queue_url": self._queues.url(PROCESSING),
            "processing_critical_queue_url": self._queues.url(PROCESSING_CRITICAL),
            "distribution_queue_url": self._queues.url(DISTRIBUTION_QUEUE),
            "distribution_critical_queue_url": self._queues.url(DISTRIBUTION_CRITICAL),
            "dedupe_event_window_s": str(config.dedupe_event_window_s),
            "dedupe_content_window_s": str(config.dedupe_content_window_s),
            "source_quota_per_minute": str(config.source_quota_per_minute),
            "alarm_topic_arn": self.topic.arn,
            "alert_sources": encoded_sources(config.sources),
            "heartbeats": encoded_heartbeats(config.heartbeats),
            "synthetic_interval_s": str(config.synthetic_interval_s),
            "primary_region": config.primary_region,
            "anthropic_key_secret": data.anthropic_key_secret.name,
            "claude_model": config.claude_model,
            "cache_ttl_s": str(config.cache_ttl_s),
            "escalation_topic_arn": self._escalation.arn,
            "escalate_after_s": str(config.escalate_after_s),
            "alert_silences": packed_silences(config.silences),
            "critical_patience_s": str(config.critical_patience_s),
            "incident_window_s": str(config.incident_window_s),
            "hold_back_s": str(config.hold_back_s),
            "redact_emails": str(config.redact_emails).lower(),
            "alert_routes": encoded_routes(config.routes),
            "slack_edits": str(bool(config.slack_channel)).lower(),
            "slack_webhook_secret": data.slack_webhook_secret.name,
            "slack_webhook_origin": config.slack_webhook_origin,
            "slack_interval_ms": str(config.slack_interval_ms),
            "slack_channel": as_given("slackChannel", config.slack_channel),
            "slack_bot_token_secret": data.slack_bot_token_secret.name if data.slack_bot_token_secret else "",
        }

    def _resources(self) -> RegionResources:
        data, region = self._data, self.context.region
        return RegionResources(
            alerts_table=self.alerts_table,
            analysis_cache_table=data.table_arn(ANALYSIS_CACHE, region),
            coordination_table=data.table_arn(COORDINATION, region),
            queues=self._queues.arns,
            anthropic_key_secret=data.secret_arn(data.anthropic_key_secret, region),
            escalation_topic=self._escalation.arn,
            slack_secrets=tuple(data.secret_arn(secret, region) for secret in data.slack_secrets),
        )
