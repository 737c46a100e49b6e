"""AWS regions: which exist, and where a strongly consistent global table may live."""

from typing import Final, Literal

Role = Literal["primary", "failover"]
"""What a region does for a stack; a role is not a region's name."""

PRIMARY: Final[Role] = "primary"
FAILOVER: Final[Role] = "failover"
ROLES: Final[tuple[Role, ...]] = (PRIMARY, FAILOVER)

REGIONS: Final = frozenset(
    {
        "af-south-1", "ap-east-1", "ap-east-2", "ap-northeast-1", "ap-northeast-2", "ap-northeast-3",
        "ap-south-1", "ap-south-2", "ap-southeast-1", "ap-southeast-2", "ap-southeast-3", "ap-southeast-4",
        "ap-southeast-5", "ap-southeast-6", "ap-southeast-7", "ca-central-1", "ca-west-1", "eu-central-1",
        "eu-central-2", "eu-north-1", "eu-south-1", "eu-south-2", "eu-west-1", "eu-west-2", "eu-west-3",
        "il-central-1", "me-central-1", "me-south-1", "mx-central-1", "sa-east-1", "us-east-1", "us-east-2",
        "us-west-1", "us-west-2",
    }
)  # fmt: skip
"""Regions of the `aws` partition, as botocore 1.43.106 lists them for Lambda (a test compares)."""

ALWAYS_ENABLED: Final = frozenset(
    {
        "ap-northeast-1", "ap-northeast-2", "ap-northeast-3", "ap-south-1", "ap-southeast-1",
        "ap-southeast-2", "ca-central-1", "eu-central-1", "eu-north-1", "eu-west-1", "eu-west-2", "eu-west-3",
        "sa-east-1", "us-east-1", "us-east-2", "us-west-1", "us-west-2",
    }
)  # fmt: skip
"""Every account has these; any other has to be enabled first, which takes minutes to hours.
https://docs.aws.amazon.com/accounts/latest/reference/manage-acct-regions.html"""

STRONG_REGION_SETS: Final = (
    frozenset({"us-east-1", "us-east-2", "us-west-2"}),
    frozenset({"eu-west-1", "eu-west-2", "eu-west-3", "eu-central-1"}),
    frozenset({"ap-northeast-1", "ap-northeast-2", "ap-northeast-3"}),
)
"""A multi-region strongly consistent table's three regions lie in one of these sets.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-properties-dynamodb-globaltable-globaltablewitness.html
"""
