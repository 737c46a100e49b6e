"""Who can reach what: nothing is public but the webhook, and that wants a key."""

from collections.abc import Iterator, Mapping

from policy.rule import Resource, Stack, listed, rule, statements

_BLOCKS = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")


@rule("aws:s3/bucket:Bucket", controls=("S3.8",), cis="2.1.4", whole_stack=True)
def buckets_block_public_access(resource: Resource, stack: Stack) -> Iterator[str]:
    """A bucket blocks public access in all four ways."""
    settings = stack.settings_of(resource, "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock")
    for block in _BLOCKS:
        if not any(setting.inputs.get(block) for setting in settings):
            yield f"no BucketPublicAccessBlock sets {block} for it; set it"


OTHER_WAYS = (
    "aws:apigatewayv2/",
    "aws:appsync/",
    "aws:cloudfront/",
    "aws:cloudwatch/eventPermission:",
    "aws:cognito/",
    "aws:ecrpublic/",
    "aws:kms/grant:",
    "aws:lakeformation/",
    "aws:lambda/layerVersionPermission:",
    "aws:lb/",
    "aws:ram/",
    "aws:s3/bucketAcl",
    "aws:s3/bucketWebsiteConfiguration",
    "aws:s3control/",
    "aws:transfer/",
)
"""How types begin that let somebody in without a policy, or to another API than the webhook."""


@rule()
def nothing_else_lets_in(resource: Resource, _stack: Stack) -> Iterator[str]:
    """Nothing lets anybody in that these rules do not read: no ACL, grant, share, website or other API."""
    if resource.type.startswith(OTHER_WAYS):
        yield "no rule reads whom it lets in; use a resource policy, or write the rule"
    if resource.inputs.get("acl", "private") not in ("private", None) or resource.inputs.get("grants"):
        yield "it has an acl or grants; use a BucketPolicy"


@rule(controls=("S3.2", "S3.3", "SNS.4", "SQS.3", "KMS.5"))
def policies_name_principals(resource: Resource, _stack: Stack) -> Iterator[str]:
    """A resource's policy allows nothing to everybody, and to a service only for this account's resources."""
    for statement in statements(resource.inputs):
        if statement["Effect"] != "Allow" or resource.type.startswith("aws:iam/"):
            continue
        principal = statement.get("Principal") or "*"
        if not isinstance(principal, Mapping) or "*" in listed(principal.get("AWS")):
            yield f"statement {statement.get('Sid')} allows everybody; name the principal"
        elif "Service" in principal and "aws:SourceAccount" not in str(statement.get("Condition")):
            yield f"statement {statement.get('Sid')} allows a service for any account; add aws:SourceAccount"


@rule("aws:lambda/permission:Permission", "aws:lambda/functionUrl:FunctionUrl", controls=("Lambda.1",))
def functions_invoked_by_named_sources(resource: Resource, _stack: Stack) -> Iterator[str]:
    """A function is invoked by a named service for a named source only, and has no public URL."""
    if resource.type.endswith("FunctionUrl"):
        if resource.inputs.get("authorizationType") != "AWS_IAM":
            yield "the URL is public; set authorizationType AWS_IAM"
        return
    if "*" in resource.inputs["principal"] or not resource.inputs.get("sourceArn"):
        yield f"principal {resource.inputs['principal']} may invoke for anybody; set sourceArn"


@rule("aws:apigateway/method:Method")
def api_methods_want_a_key(resource: Resource, _stack: Stack) -> Iterator[str]:
    """A method of the webhook wants an API key or AWS's own authorization."""
    if resource.inputs["authorization"] == "NONE" and not resource.inputs.get("apiKeyRequired"):
        yield "authorization is NONE and apiKeyRequired is off; turn it on"


@rule("aws:apigateway/usagePlan:UsagePlan")
def api_keys_throttled(resource: Resource, _stack: Stack) -> Iterator[str]:
    """The webhook takes no more than the configured rate from the holders of its key."""
    throttle = resource.inputs.get("throttleSettings") or {}
    if not (throttle.get("rateLimit") and throttle.get("burstLimit")):
        yield "throttleSettings lack rateLimit or burstLimit; set both"
