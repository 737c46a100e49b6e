"""The four Lambda functions: what each is called and runs; `components.policies` says what it may do."""

from typing import Final, NamedTuple

LAMBDA_RUNTIME: Final = "python3.13"
LAMBDA_ARCHITECTURE: Final = "arm64"


class FunctionSpec(NamedTuple):
    """One Lambda function. `key` names its module, package, configuration keys and lock file."""

    key: str
    suffix: str
    description: str

    @property
    def handler(self) -> str:
        """What Lambda imports and calls."""
        return f"handlers.{self.key}.handler"

    @property
    def memory_key(self) -> str:
        """The configuration key of its memory."""
        return f"{self.key}MemoryMb"


RECEPTION: Final = FunctionSpec(
    "reception", "AlertReceptionFunction", "Validates an alert, writes the ledger, enqueues, answers 202"
)
ANALYSIS: Final = FunctionSpec(
    "analysis", "AnalysisFunction", "Analyses an alert, by the cache or by Claude, and enqueues it"
)
DISTRIBUTION: Final = FunctionSpec("distribution", "DistributionFunction", "Posts an alert to Slack")
RECOVERY: Final = FunctionSpec(
    "recovery", "RecoveryFunction", "Each minute, re-enqueues alerts not at rest whose lease ran out"
)

FUNCTIONS: Final = (RECEPTION, ANALYSIS, DISTRIBUTION, RECOVERY)
