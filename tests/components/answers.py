"""What the program meets in the component tests, and the outputs that AWS would give its resources."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import grpc
from pulumi.runtime import Mocks
from pulumi.runtime.mocks import MockCallArgs, MockResourceArgs

from topology.names import EMBEDDED_ACCOUNT
from topology.regions import ALWAYS_ENABLED

_ARN_SERVICE = {
    "aws:sqs/queue:Queue": "sqs:{region}:{account}:{name}",
    "aws:dynamodb/table:Table": "dynamodb:{region}:{account}:table/{name}",
    "aws:secretsmanager/secret:Secret": "secretsmanager:{region}:{account}:secret:{name}-a1B2c3",
    "aws:sns/topic:Topic": "sns:{region}:{account}:{name}",
    "aws:kms/key:Key": "kms:{region}:{account}:key/0f0f",
    "aws:cloudwatch/logGroup:LogGroup": "logs:{region}:{account}:log-group:{name}",
    "aws:iam/role:Role": "iam::{account}:role/{name}",
    "aws:lambda/function:Function": "lambda:{region}:{account}:function:{name}",
    "aws:lambda/alias:Alias": "lambda:{region}:{account}:function:{functionName}:{name}",
    "aws:s3/bucket:Bucket": "s3:::{bucket}",
    "aws:backup/vault:Vault": "backup:{region}:{account}:backup-vault:{name}",
    "aws:sfn/stateMachine:StateMachine": "states:{region}:{account}:stateMachine:{name}",
    "aws:apigateway/restApi:RestApi": "apigateway:{region}::/restapis/{name}",
    "aws:acm/certificate:Certificate": "acm:{region}:{account}:certificate/0f0f",
}
"""ARNs in the form that AWS gives them."""


@dataclass(frozen=True)
class Cloud:
    """What the program meets: an account, the regions that are enabled in it, and what the state keeps.

    In a `preview` nothing is made, so that outputs other than inputs are unknown. `refusal` is what AWS says
    to `refused_call`, by default to who asks for the account; `ledger_home` what the first deployment put
    into its stash; `secret_keys` are those of the configuration that are kept encrypted.
    """

    account: str = EMBEDDED_ACCOUNT
    enabled: frozenset[str] = ALWAYS_ENABLED
    refusal: str | None = None
    refused_call: str = "getCallerIdentity"
    ledger_home: Mapping[str, str] | None = None
    preview: bool = False
    secret_keys: tuple[str, ...] = ()


USUAL = Cloud()
"""Where nothing is in the way."""


class _RefusedError(grpc.RpcError):
    """What the engine answers where the provider cannot."""

    def code(self) -> grpc.StatusCode:
        return grpc.StatusCode.UNKNOWN

    def details(self) -> str:
        return str(self)


class Answers(Mocks):
    """The outputs that AWS would give."""

    def __init__(self, cloud: Cloud) -> None:
        """Answer as this cloud does."""
        self._cloud = cloud

    def call(self, args: MockCallArgs) -> dict[str, Any]:  # type: ignore[override]  # the SDK takes both
        """Which account and regions there are."""
        cloud = self._cloud
        if cloud.refusal and args.token.endswith(f":{cloud.refused_call}"):
            raise _RefusedError(cloud.refusal)
        if args.token == "aws:index/getRegions:getRegions":
            return {"id": "aws", "names": sorted(cloud.enabled)}
        assert args.token == "aws:index/getCallerIdentity:getCallerIdentity", args.token
        return {"accountId": cloud.account, "arn": "arn:aws:iam::x", "id": cloud.account, "userId": "x"}

    def new_resource(self, args: MockResourceArgs) -> tuple[str, dict[str, Any]]:
        """The id and the outputs of a resource; a preview has its inputs only."""
        if not args.custom:
            return "", {}
        if args.typ == "pulumi:index:Stash":
            return args.name, {**args.inputs, "output": self._cloud.ledger_home or args.inputs["input"]}
        return ("", dict(args.inputs)) if self._cloud.preview else self._made(args)

    def _made(self, args: MockResourceArgs) -> tuple[str, dict[str, Any]]:
        inputs = args.inputs
        known = {"region": "", "name": args.name, **inputs, "account": EMBEDDED_ACCOUNT}
        outputs = dict(inputs)
        if args.typ in _ARN_SERVICE:
            outputs["arn"] = "arn:aws:" + _ARN_SERVICE[args.typ].format_map(known)
        match args.typ:
            case "aws:sqs/queue:Queue":
                outputs["url"] = (
                    f"https://sqs.{inputs['region']}.amazonaws.com/{EMBEDDED_ACCOUNT}/{inputs['name']}"
                )
            case "aws:lambda/function:Function":
                outputs["version"] = "7"
            case "aws:lambda/alias:Alias":
                region = inputs["region"]
                outputs["invokeArn"] = (
                    f"arn:aws:apigateway:{region}:lambda:path/2015-03-31/functions/{outputs['arn']}/invocations"
                )
            case "aws:apigateway/restApi:RestApi":
                outputs["rootResourceId"] = "root"
                outputs["executionArn"] = (
                    f"arn:aws:execute-api:{inputs['region']}:{EMBEDDED_ACCOUNT}:{args.name}"
                )
            case "aws:apigateway/stage:Stage":
                outputs["invokeUrl"] = (
                    f"https://{inputs['restApi']}.execute-api.{inputs['region']}.amazonaws.com/{inputs['stageName']}"
                )
            case "aws:apigateway/apiKey:ApiKey":
                outputs.setdefault("value", f"generated-for-{inputs['region']}")
            case _:
                outputs |= _routing_outputs(args.typ, inputs)
        return f"{args.name}-id", outputs


def _routing_outputs(type_: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """What AWS adds to the resources of a domain."""
    match type_:
        case "aws:acm/certificate:Certificate":
            proof = {
                "domainName": inputs["domainName"],
                "resourceRecordName": f"_proof.{inputs['domainName']}.",
                "resourceRecordType": "CNAME",
                "resourceRecordValue": "_value.acm-validations.aws.",
            }
            return {"domainValidationOptions": [proof]}
        case "aws:route53/record:Record":
            return {"fqdn": inputs["name"].rstrip(".")}
        case "aws:apigateway/domainName:DomainName":
            return {"regionalDomainName": f"d-abc.execute-api.{inputs['region']}.amazonaws.com"}
    return {}
