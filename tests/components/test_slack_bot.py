"""A stack with a Slack channel of its own: the bot's token is one secret more, in the webhook's place."""

import pytest

from tests.components.recorder import CHANNEL, Run


@pytest.fixture
def run(optioned: Run) -> Run:
    """The run of prod with a channel."""
    return optioned


def test_token_is_a_secret_of_its_own_in_both_regions(run: Run) -> None:
    """Beside the webhook's, so that going back is a change of the configuration."""
    token = run.one("secretsmanager/secret:Secret", "slack-bot-token")
    assert token.inputs["name"] == "mcp-responder/slack-bot-token"
    assert token.inputs["replicas"] == [{"region": "us-west-2"}]
    assert "secretString" not in token.inputs
    assert run.one("secretsmanager/secret:Secret", "slack-webhook")


def test_distribution_is_told_of_it_and_reads_it_besides_those_of_routes(run: Run) -> None:
    """Least privilege moves with the configuration."""
    for function in run.of("lambda/function:Function"):
        if "Distribution" not in function.inputs["name"]:
            continue
        told = function.inputs["environment"]["variables"]
        assert told["SLACK_CHANNEL"] == CHANNEL
        assert told["SLACK_BOT_TOKEN_SECRET"] == "mcp-responder/slack-bot-token"
    read = [
        resource.partition(":secret:")[2]
        for policy, document in run.policies()
        if "distribution" in policy.name
        for statement in document["Statement"]
        if "secretsmanager:GetSecretValue" in statement["Action"]
        for resource in statement["Resource"]
    ]
    assert sorted(read) == sorted(
        [
            "mcp-responder/slack-bot-token-a1B2c3",
            "mcp-responder/slack-webhook-payments-a1B2c3",
        ]
        * 2
    )
