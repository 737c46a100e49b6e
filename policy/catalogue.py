"""All rules, what is exempt from one and why, and their verdict on a resource; for the pack and the tests."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from policy.rule import Resource, Rule, Stack
from policy.rules import access, costs, durability, encryption, exposure, inventory

RULES: tuple[Rule, ...] = tuple(
    value
    for module in (encryption, exposure, access, durability, inventory, costs)
    for value in vars(module).values()
    if isinstance(value, Rule)
)


@dataclass(frozen=True)
class Exemption:
    """Resources of a type that may break a rule: those whose logical name ends with `name`, as `said`."""

    rule: str
    type: str
    name: str
    said: str
    reason: str

    def covers(self, rule: Rule, resource: Resource, violation: str) -> bool:
        """Whether the violation is one that this exemption is about."""
        return (
            (self.rule, self.type) == (rule.name, resource.type)
            and resource.name.endswith(self.name)
            and violation.startswith(self.said)
        )


_METHOD, _KEY = "aws:apigateway/method:Method", "aws:kms/key:Key"
EXEMPTIONS: tuple[Exemption, ...] = (
    Exemption(
        "api-methods-want-a-key",
        _METHOD,
        "-health",
        "authorization",
        "Route 53's health checks can send no key; its rate is limited by itself",
    ),
    Exemption(
        "api-methods-want-a-key",
        _METHOD,
        "-switch",
        "authorization",
        "Route 53's health checks can send no key; it tells nothing but whether the switch is on",
    ),
    Exemption(
        "policies-name-actions",
        _KEY,
        "-alarms",
        "allows kms:*",
        "to the account itself, else nobody could ever change the key's policy: "
        "https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-default.html",
    ),
    Exemption(
        "policies-name-actions",
        _KEY,
        "-alarms",
        "allows kms:GenerateDataKey*",
        "what AWS asks for CloudWatch to publish to an encrypted topic: "
        "https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html#compatibility-with-aws-services",
    ),
    Exemption(
        "roles-name-resources",
        "aws:iam/rolePolicy:RolePolicy",
        "-backup",
        "allows backup:TagResource on",
        "AWS Backup names a recovery point as it makes it; the two regions and the account are named",
    ),
    Exemption(
        "owner-tagged",
        "aws:s3/bucketObjectv2:BucketObjectv2",
        "",
        "it has no tag",
        "the bucket has the tags, and an object's own would have to be copied with it to each day's backup",
    ),
)

NOT_MET: Mapping[str, str] = {
    "APIGateway.1": "an API logs its answers with `apiAccessLog` only: the role for it is the account's",
    "APIGateway.3": "X-Ray is not used: the ledger's row has the time of each step",
    "APIGateway.4": "there is no WAF: senders have a key and a rate; a web ACL is billed by the month",
    "CloudWatch.16": "30 days by default and not a year: the ledger keeps what happened, logs say how; "
    "set `logRetentionDays`",
    "DynamoDB.4": "only the ledger is in a backup plan: what the other tables hold is made again by use",
    "Lambda.3": "functions are in no VPC, which would need NAT gateways to reach Slack and Claude",
    "S3.9": "no server access log: what is in the buckets is written by schedules and read in a disaster",
    "S3.17": "buckets are under S3's own keys: whoever deletes a key of KMS deletes every backup with it",
    "SecretsManager.1": "Slack's and Claude's secrets cannot be rotated by AWS; operators put new ones",
    "SecretsManager.4": "as SecretsManager.1",
}
"""Controls of AWS Security Hub about what this program has, which it does not meet, and why."""


def violations(rule: Rule, resource: Resource, stack: Stack) -> Iterator[str]:
    """What is wrong with a resource by one rule, without what is exempt."""
    if rule.applies(resource):
        for violation in rule.check(resource, stack):
            if not any(exemption.covers(rule, resource, violation) for exemption in EXEMPTIONS):
                yield violation
