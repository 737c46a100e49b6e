"""What a stack with `deletionProtection` does not let go: what cannot be made again as it was."""

from collections.abc import Mapping
from typing import Final

IRREPLACEABLE: Final[Mapping[str, str]] = {
    "aws:apigateway/apiKey:ApiKey": "every source would need another key",
    "aws:apigateway/domainName:DomainName": "its address, which zones elsewhere may point to",
    "aws:apigateway/restApi:RestApi": "its id is in the URL that every source posts to",
    "aws:backup/vault:Vault": "its recovery points",
    "aws:cloudwatch/logGroup:LogGroup": "its log, which holds the receipts of an audit",
    "aws:dynamodb/table:Table": "its rows",
    "aws:kms/key:Key": "whatever is encrypted by it",
    "aws:s3/bucket:Bucket": "its objects, and a name that anybody may take",
    "aws:secretsmanager/secret:Secret": "its value, which Pulumi has never seen",
    "pulumi:index:Stash": "where the ledger was first deployed",
}
"""By Pulumi type, what would be lost. Everything else comes back with the same address: names and so ARNs are
the program's own, and what is in a queue are wake-ups, which promise nothing."""
