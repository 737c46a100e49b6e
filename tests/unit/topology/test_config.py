"""The stack configuration: every problem is found before anything is created."""

import pytest
import yaml

from lambda_packages import ROOT
from topology.config import ConfigError, StackConfig
from topology.config_keys import KEYS
from topology.functions import ANALYSIS, FUNCTIONS
from topology.limits import IAM_ROLE_NAME_CHARS
from topology.names import STACKS, Names
from topology.regions import REGIONS, STRONG_REGION_SETS

VALID = {"primaryRegion": "us-east-1", "failoverRegion": "us-west-2", "witnessRegion": "us-east-2"}


def problems_of(**changed: object) -> list[str]:
    """The problems of a valid configuration after `changed`; None removes a key."""
    raw = {key: value for key, value in {**VALID, **changed}.items() if value is not None}
    with pytest.raises(ConfigError) as raised:
        StackConfig.parse(stack="prod", raw=raw)
    return raised.value.problems


def test_defaults_fill_what_a_stack_leaves_out() -> None:
    """The three regions are all that a strong stack must say."""
    config = StackConfig.parse(stack="prod", raw=VALID)
    assert config.ledger_consistency == "strong"
    assert config.memory_mb[ANALYSIS] == 1024
    assert config.log_retention_days == 30
    assert config.deletion_protection is True
    assert config.chaos_allowed is False


def test_text_as_pulumi_hands_it_over_is_converted() -> None:
    """Pulumi passes every value as text."""
    config = StackConfig.parse(
        stack="local",
        raw={**VALID, "analysisMemoryMb": "2048", "deletionProtection": "false", "chaos": "allowed"},
    )
    assert config.memory_mb[ANALYSIS] == 2048
    assert config.deletion_protection is False
    assert config.chaos_allowed is True


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("analysisMemoryMb", "127"),
        ("analysisMemoryMb", "10241"),
        ("analysisMemoryMb", "1GB"),
        ("analysisMemoryMb", True),
        ("receptionTimeoutS", "30"),
        ("logRetentionDays", "31"),
        ("ledgerConsistency", "maybe"),
        ("deletionProtection", "yes"),
        ("eventSourceConcurrency", "1"),
        ("claudeModel", " "),
        ("owner", ""),
        ("primaryRegion", "us-east-9"),
        ("slackWebhookOrigin", "http://evil.example/"),
        ("slackChannel", "#alerts"),
        ("slackChannel", "C0123456789\n"),
        ("owner", "two\nlines"),
        ("owner", "x" * 257),
        ("leaseS", "9" * 5_000),
        ("alarmEmail", "oncall"),
        ("alarmEmail", "oncall@example.com\n"),
        ("alarmEmail", "a b@example.com"),
    ],
)
def test_a_bad_value_is_reported_with_its_key_and_what_is_allowed(key: str, value: object) -> None:
    """Each problem names the key, the value seen and the values allowed."""
    (problem,) = [p for p in problems_of(**{key: value}) if p.startswith(f"{key}: ")]
    assert repr(value) in problem
    assert "allowed: " in problem


@pytest.mark.parametrize("value", ["128", "10240"])
def test_the_ends_of_the_memory_range_are_allowed(value: str) -> None:
    """Boundary values of Lambda's range pass."""
    assert StackConfig.parse(stack="dev", raw={**VALID, "analysisMemoryMb": value}).memory_mb[
        ANALYSIS
    ] == int(value)


def test_all_problems_are_reported_together() -> None:
    """One run shows everything that is wrong."""
    problems = problems_of(colour="blue", analysisMemoryMb="1", failoverRegion=None, chaos="perhaps")
    assert [p.split(":")[0] for p in problems] == ["colour", "failoverRegion", "analysisMemoryMb", "chaos"]


def test_the_same_region_twice_is_refused() -> None:
    """A failover into the lost region is none."""
    assert any(
        p.startswith("failoverRegion: 'us-east-1' is primaryRegion too")
        for p in problems_of(failoverRegion="us-east-1")
    )


@pytest.mark.parametrize("witness", ["", "us-east-1", "us-west-1", "eu-west-1"])
def test_strong_consistency_needs_three_regions_of_one_set(witness: str) -> None:
    """AWS makes a strongly consistent table only within a region set."""
    (problem,) = problems_of(witnessRegion=witness)
    assert problem.startswith(f"witnessRegion: {witness!r}")
    assert all(region in problem for group in STRONG_REGION_SETS for region in group)


def test_a_witness_without_strong_consistency_is_refused() -> None:
    """A setting that would do nothing is a mistake."""
    (problem,) = problems_of(ledgerConsistency="eventual")
    assert problem.startswith("witnessRegion: 'us-east-2' has no use")


def test_an_unknown_stack_is_refused() -> None:
    """Names are made from the stack, so a misspelt one would make a second system."""
    with pytest.raises(ConfigError, match="stack: 'production' is not known"):
        StackConfig.parse(stack="production", raw=VALID)


def test_every_key_has_a_description_and_a_default_that_it_would_accept() -> None:
    """A default that is out of its own range would break every stack that leaves the key out."""
    for key in KEYS:
        assert key.description, key.name
        assert key.default is None or key.accepts(key.default), key.name


def test_every_role_name_fits_iam_in_the_longest_region() -> None:
    """IAM refuses longer names only when the deployment is half done."""
    longest = max(
        len(Names(stack).role(spec, region)) for stack in STACKS for spec in FUNCTIONS for region in REGIONS
    )
    assert longest <= IAM_ROLE_NAME_CHARS


def test_the_runbooks_names_are_kept() -> None:
    """People's scripts use these names."""
    names = Names("prod")
    assert names.function(ANALYSIS) == "mcp-incident-responder-prod-AnalysisFunction"
    assert names.log_group(ANALYSIS) == "/aws/lambda/mcp-incident-responder-prod-AnalysisFunction"
    assert names.slack_webhook_secret == "mcp-responder/slack-webhook"
    assert names.slack_bot_token_secret == "mcp-responder/slack-bot-token"
    assert Names("dev").anthropic_key_secret == "mcp-responder-dev/anthropic-key"


def test_a_missing_region_hides_no_other_problem() -> None:
    """The witness that is missing too is told in the same round."""
    assert [p.split(":")[0] for p in problems_of(primaryRegion=None, witnessRegion=None)] == [
        "primaryRegion",
        "witnessRegion",
    ]


def test_a_missing_region_is_the_only_problem_of_the_rest() -> None:
    """Two of three regions that fit one set are not called wrong as well."""
    assert [p.split(":")[0] for p in problems_of(primaryRegion=None)] == ["primaryRegion"]


def test_a_wrong_domain_with_its_zone_is_one_problem() -> None:
    """They do go together; it is the name that is wrong."""
    (problem,) = problems_of(domain="Alerts.Example.com", hostedZoneId="Z0123456789ABC")
    assert problem.startswith("domain: 'Alerts.Example.com' is not allowed")


@pytest.mark.parametrize("given", [{"domain": "alerts.example.com"}, {"hostedZoneId": "Z0123456789ABC"}])
def test_a_domain_needs_its_zone_and_a_zone_its_domain(given: dict[str, str]) -> None:
    """One alone would be ignored."""
    assert any(p.startswith("domain: it and hostedZoneId go together") for p in problems_of(**given))


def test_less_reserved_than_the_queues_may_use_is_refused() -> None:
    """Two queues feed a function, each with as many workers as it is allowed."""
    (problem,) = problems_of(reservedConcurrency="19", eventSourceConcurrency="10")
    assert problem.endswith("allowed: 0, or at least 20")
    assert (
        StackConfig.parse(stack="prod", raw={**VALID, "reservedConcurrency": "20"}).reserved_concurrency == 20
    )


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"pollersMin": "2"}, "pollersMin: 2 does not go with pollersMax, 0"),
        ({"pollersMax": "2"}, "pollersMin: 0 does not go with pollersMax, 2"),
        ({"pollersMin": "5", "pollersMax": "4"}, "pollersMin: 5 does not go with pollersMax, 4"),
        ({"pollersMin": "1", "pollersMax": "4"}, "pollersMin: '1' is not allowed; allowed: 0, or 2 to 200"),
        ({"pollersMin": "2", "pollersMax": "2001"}, "pollersMax: '2001' is not allowed"),
        (
            {"pollersMin": "2", "pollersMax": "4", "eventSourceConcurrency": "9"},
            "pollersMax: 4 provisioned pollers exclude eventSourceConcurrency",
        ),
        (
            {"pollersMin": "2", "pollersMax": "4", "reservedConcurrency": "79"},
            "reservedConcurrency: 79 is less than the 2 queues of a function may use, each pollersMax, 10 of",
        ),
    ],
)
def test_provisioned_pollers_that_aws_or_the_function_would_refuse_are_refused(
    given: dict[str, str], says: str
) -> None:
    """They exclude a cap on concurrency, and each of them may have ten invocations under way."""
    assert any(problem.startswith(says) for problem in problems_of(**given))


def test_provisioned_pollers_are_taken_within_what_is_reserved() -> None:
    """The bounds belong to what is allowed, and so does a function that reserves nothing."""
    pollers = {**VALID, "pollersMin": "2", "pollersMax": "4"}
    config = StackConfig.parse(stack="prod", raw={**pollers, "reservedConcurrency": "80"})
    assert (config.pollers_min, config.pollers_max) == (2, 4)
    assert StackConfig.parse(stack="prod", raw=pollers).reserved_concurrency == 0


def test_provisioned_pollers_can_be_set_beside_the_default_of_pulumi_yaml() -> None:
    """Pulumi hands a program the project's defaults as if the stack's own file had them."""
    pollers = {"pollersMin": "2", "pollersMax": "4"}
    defaults = yaml.safe_load((ROOT / "Pulumi.yaml").read_text(encoding="utf-8"))["config"]
    raw = {name: str(key["default"]) for name, key in defaults.items() if "default" in key}
    given = {name: raw[name] for name in ("eventSourceConcurrency", "reservedConcurrency", *pollers)}
    assert StackConfig.parse(stack="prod", raw={**VALID, **given, **pollers}).pollers_max == 4


def test_the_embedded_slack_is_for_the_local_stack() -> None:
    """In any other, alerts would go nowhere."""
    (problem,) = problems_of(slackWebhookOrigin="http://hooks.slack.test/")
    assert problem.startswith("slackWebhookOrigin: 'http://hooks.slack.test/' is the embedded Slack")
