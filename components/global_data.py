"""What both regions share: the global tables and the replicated secrets, made in the primary region."""

from collections.abc import Mapping

import pulumi
import pulumi_aws as aws

from components.region_context import arn_in, kept, tags_of
from topology.config import StackConfig
from topology.config_keys import STRONG
from topology.names import SLACK_WEBHOOK, Names
from topology.tables import ALERTS, ANALYSIS_CACHE, COORDINATION, TABLES, IndexSpec, TableSpec

SECRET_RECOVERY_DAYS = 30
"""How long Secrets Manager keeps a deleted secret of a protected stack; others go at once, so that a
stack can be torn down and deployed again under the same names.
https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_DeleteSecret.html"""


class GlobalData(pulumi.ComponentResource):
    """The tables, each with a replica in the failover region, and the secrets.

    The secrets are made without a value: operators put it, so that no state file ever holds one.
    """

    def __init__(
        self,
        name: str,
        *,
        config: StackConfig,
        after: pulumi.Resource,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Register the tables and the secrets. The tables are made after `after`, and deleted before it."""
        super().__init__("incident:global:Data", name, None, opts)
        self._config = config
        self._names = Names(config.stack)
        self._after = after
        self.tables = {spec: self._table(spec) for spec in TABLES}
        self.slack_webhook_secret = self._secret(SLACK_WEBHOOK, self._names.slack_webhook_secret)
        self.slack_bot_token_secret = (
            self._secret("slack-bot-token", self._names.slack_bot_token_secret)
            if config.slack_channel
            else None
        )
        self.anthropic_key_secret = self._secret("anthropic-key", self._names.anthropic_key_secret)
        webhooks = dict.fromkeys(route.secret for route in config.routes if route.secret)
        self._route_secrets = {
            secret: self.slack_webhook_secret
            if secret == SLACK_WEBHOOK
            else self._secret(secret, self._names.route_secret(secret))
            for secret in webhooks
        }
        self.register_outputs({})

    @property
    def outputs(self) -> Mapping[str, pulumi.Input[str]]:
        """Stack outputs by the keys of `topology.outputs.GLOBAL`, and of the routes' secrets, if any."""
        own = [secret.name for key, secret in self._route_secrets.items() if key != SLACK_WEBHOOK]
        return {
            "Stack": self._config.stack,
            "PrimaryRegion": self._config.primary_region,
            "FailoverRegion": self._config.failover_region,
            "LedgerConsistency": self._config.ledger_consistency,
            "AlertsTableName": self.tables[ALERTS].name,
            "AnalysisCacheTableName": self.tables[ANALYSIS_CACHE].name,
            "CoordinationTableName": self.tables[COORDINATION].name,
            "SlackWebhookSecretName": self.slack_webhook_secret.name,
            "AnthropicKeySecretName": self.anthropic_key_secret.name,
            **({"SlackRouteSecretNames": pulumi.Output.all(*own).apply(",".join)} if own else {}),
        }

    @property
    def slack_secrets(self) -> tuple[aws.secretsmanager.Secret, ...]:
        """The secrets by which Slack is posted to: of the default channel, and of the routes' webhooks."""
        default = self.slack_bot_token_secret or self.slack_webhook_secret
        return tuple(dict.fromkeys([default, *self._route_secrets.values()]))

    def table_arn(self, spec: TableSpec, region: str) -> pulumi.Output[str]:
        """The ARN of the table's replica in `region`."""
        return self.tables[spec].arn.apply(lambda arn: arn_in(arn, region))

    def secret_arn(self, secret: aws.secretsmanager.Secret, region: str) -> pulumi.Output[str]:
        """The ARN of the secret's replica in `region`."""
        return secret.arn.apply(lambda arn: arn_in(arn, region))

    def _table(self, spec: TableSpec) -> aws.dynamodb.Table:
        """A table and its replica.

        The cache is eventual always: a stale miss costs one more analysis, and a strongly consistent
        table has no TTL, so rows of a strong ledger that have expired stay until something sweeps them.
        Nothing reads a stream: an eventual table replicates by it, a strong one does without.
        https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/V2globaltables_HowItWorks.html
        """
        config = self._config
        strong = spec.shares_ledger_consistency and config.ledger_consistency == STRONG
        keys = {key for index in spec.indexes for key in (index.hash_key, index.range_key)} | {spec.hash_key}
        return aws.dynamodb.Table(
            spec.key,
            region=config.primary_region,
            name=self._names.table(spec),
            billing_mode="PAY_PER_REQUEST",
            hash_key=spec.hash_key.name,
            attributes=[
                aws.dynamodb.TableAttributeArgs(name=key.name, type=key.type)
                for key in sorted(keys, key=lambda key: key.name)
            ],
            global_secondary_indexes=[_index(index) for index in spec.indexes],
            stream_enabled=None if strong else True,
            stream_view_type=None if strong else "NEW_AND_OLD_IMAGES",
            ttl=aws.dynamodb.TableTtlArgs(attribute_name=spec.ttl_attribute, enabled=True)
            if spec.ttl_attribute and not strong
            else None,
            point_in_time_recovery=aws.dynamodb.TablePointInTimeRecoveryArgs(enabled=True),
            server_side_encryption=aws.dynamodb.TableServerSideEncryptionArgs(enabled=True),
            deletion_protection_enabled=config.deletion_protection,
            replicas=[
                aws.dynamodb.TableReplicaArgs(
                    region_name=config.failover_region,
                    consistency_mode="STRONG" if strong else "EVENTUAL",
                    point_in_time_recovery=True,
                    propagate_tags=True,
                    deletion_protection_enabled=config.deletion_protection,
                )
            ],
            global_table_witness=aws.dynamodb.TableGlobalTableWitnessArgs(region_name=config.witness_region)
            if strong
            else None,
            tags=tags_of(config),
            opts=pulumi.ResourceOptions.merge(
                kept(self, config), pulumi.ResourceOptions(depends_on=[self._after])
            ),
        )

    def _secret(self, key: str, physical: str) -> aws.secretsmanager.Secret:
        return aws.secretsmanager.Secret(
            key,
            region=self._config.primary_region,
            name=physical,
            replicas=[aws.secretsmanager.SecretReplicaArgs(region=self._config.failover_region)],
            recovery_window_in_days=SECRET_RECOVERY_DAYS if self._config.deletion_protection else 0,
            tags=tags_of(self._config),
            opts=kept(self, self._config),
        )


def _index(spec: IndexSpec) -> aws.dynamodb.TableGlobalSecondaryIndexArgs:
    return aws.dynamodb.TableGlobalSecondaryIndexArgs(
        name=spec.name,
        key_schemas=[
            aws.dynamodb.TableGlobalSecondaryIndexKeySchemaArgs(
                attribute_name=spec.hash_key.name, key_type="HASH"
            ),
            aws.dynamodb.TableGlobalSecondaryIndexKeySchemaArgs(
                attribute_name=spec.range_key.name, key_type="RANGE"
            ),
        ],
        projection_type=_projection_type(spec),
        non_key_attributes=list(spec.projected) if spec.projected else None,
    )


def _projection_type(spec: IndexSpec) -> str:
    """As in https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Projection.html ."""
    if spec.projected is None:
        return "ALL"
    return "INCLUDE" if spec.projected else "KEYS_ONLY"
