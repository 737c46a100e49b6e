"""What `responder connect` prints: valid for its sender, whole, and with this stack's addresses and keys."""

import json
import re
import shutil
import subprocess
from typing import Any

import pytest
import yaml

from ops.connect.command import addresses
from ops.connect.senders import NO_KEY, SENDERS, Address
from tests.fakes.recorded_aws import RecordedAws, recorded_deployment

EACH = (
    Address(
        "primary", "us-east-1", "https://one.example.com/prod/alerts", "key-1", "arn:aws:sns:us-east-1:1:a"
    ),
    Address(
        "failover", "us-west-2", "https://two.example.com/prod/alerts", "key-2", "arn:aws:sns:us-west-2:1:a"
    ),
)
BOTH = (
    Address("both", "us-east-1", "https://alerts.example.com/alerts", "key", "arn:aws:sns:us-east-1:1:a"),
)
NO_ADDRESS = {"cloudwatch"}
KEYS_ELSEWHERE = {"cloudwatch", "github"}


class Template(yaml.SafeLoader):
    """YAML of CloudFormation, whose functions are tags."""


Template.add_multi_constructor("!", lambda _loader, _suffix, node: node.value)


def documents(name: str, text: str) -> list[Any]:
    """What a configuration of YAML or JSON documents holds."""
    suffix = SENDERS[name].template.rpartition(".")[2]
    if suffix in ("yml", "yaml"):
        return [yaml.load(text, Loader=Template)]  # noqa: S506 - a safe loader
    decoder, rest, found = json.JSONDecoder(), text.strip(), []
    while rest:
        document, end = decoder.raw_decode(rest)
        found.append(document)
        rest = rest[end:].strip()
    return found


STRUCTURED = [name for name, sender in SENDERS.items() if sender.template.endswith(("yml", "yaml", "json"))]


@pytest.mark.parametrize("places", [EACH, BOTH], ids=["each region", "one name"])
@pytest.mark.parametrize("name", SENDERS)
def test_every_address_and_key_is_in_a_configuration_and_nothing_is_left_open(
    name: str, places: tuple[Address, ...]
) -> None:
    """No name between at signs stays; a sender without a key of its own has it from elsewhere."""
    text = SENDERS[name].configuration(places, secret="s3cret")
    assert not re.search(r"@[a-zA-Z_]+@", text)
    for place in places:
        assert name in NO_ADDRESS or place.url in text
        assert name in KEYS_ELSEWHERE or place.key in text
    assert text.endswith("\n")


@pytest.mark.parametrize("places", [EACH, BOTH], ids=["each region", "one name"])
@pytest.mark.parametrize("name", STRUCTURED)
def test_yaml_and_json_can_be_read(name: str, places: tuple[Address, ...]) -> None:
    """Each document is an object, whether a region or all are in it."""
    found = documents(name, SENDERS[name].configuration(places))
    assert all(isinstance(document, dict) for document in found)
    assert len(found) in (1, len(places))


@pytest.mark.parametrize("name", [n for n, s in SENDERS.items() if s.template.endswith(".sh")])
def test_scripts_are_scripts(name: str) -> None:
    """The shell reads them, and runs nothing."""
    shell = shutil.which("sh")
    assert shell is not None
    script = SENDERS[name].configuration(EACH)
    done = subprocess.run(
        [shell, "-n"], input=script, text=True, capture_output=True, check=False, timeout=10
    )
    assert done.returncode == 0, done.stderr


def test_github_tells_of_workflows_without_a_name_too() -> None:
    """Such a one is named by its path, and a single star matches no slash.

    https://github.com/github/docs/pull/37022 (filter patterns of workflow names)
    """
    (document,) = documents("github", SENDERS["github"].configuration(EACH))
    triggers = document[True] if True in document else document["on"]
    assert triggers["workflow_run"]["workflows"] == ["**"]


def test_alertmanager_is_told_what_it_knows() -> None:
    """The fields of its receivers, each region its own; nothing of a group is cut off, and ends are sent.

    https://github.com/prometheus/alertmanager/blob/main/docs/configuration.md (webhook_config)
    """
    (document,) = documents("alertmanager", SENDERS["alertmanager"].configuration(EACH))
    ((receiver,),) = document.values()
    assert receiver.keys() == {"name", "webhook_configs"}
    for config, place in zip(receiver["webhook_configs"], EACH, strict=True):
        assert config == {
            "url": place.url,
            "send_resolved": True,
            "max_alerts": 0,
            "timeout": "30s",
            "http_config": {"http_headers": {"x-api-key": {"secrets": [place.key]}}},
        }


def test_grafana_is_told_what_it_knows() -> None:
    """The settings that its webhook reads, `maxAlerts` as the text that it wants.

    https://github.com/grafana/alerting/blob/main/receivers/webhook/v1/config.go
    """
    (document,) = documents("grafana", SENDERS["grafana"].configuration(EACH))
    (point,) = document["contactPoints"]
    assert [receiver["uid"] for receiver in point["receivers"]] == [
        "incident-responder-primary",
        "incident-responder-failover",
    ]
    for receiver in point["receivers"]:
        assert receiver["disableResolveMessage"] is False
        assert receiver["settings"].keys() == {"url", "httpMethod", "maxAlerts", "headers"}
        assert receiver["settings"]["maxAlerts"] == "0"


def test_every_resource_of_a_template_that_is_named_is_there() -> None:
    """Whichever events it is about, in each region and with one name."""
    for name in ("eventbridge", "health", "guardduty"):
        for places in (EACH, BOTH):
            text = SENDERS[name].configuration(places)
            (document,) = documents(name, text)
            named = set(re.findall(r"!GetAtt (\w+)\.Arn", text))
            assert named <= document["Resources"].keys()
            assert len(document["Resources"]["Rule"]["Properties"]["Targets"]) == len(places)
            assert document["Resources"]["Rule"]["Properties"]["EventPattern"]["source"]


def test_texts_in_json_that_are_json_themselves_can_be_read() -> None:
    """Headers and bodies that a sender keeps as text."""
    for document in documents("datadog", SENDERS["datadog"].configuration(EACH)):
        assert json.loads(document["custom_headers"])["x-api-key"] in ("key-1", "key-2")
        assert json.loads(document["payload"])["alert_transition"] == "$ALERT_TRANSITION"
    for document in documents("uptime-kuma", SENDERS["uptime-kuma"].configuration(EACH)):
        assert json.loads(document["webhookAdditionalHeaders"])["x-api-key"] in ("key-1", "key-2")


def test_both_regions_are_named_unless_one_name_stands_for_them() -> None:
    """With the key of each; behind the name both have the primary's. Without a key, nothing is asked."""
    keys = {"items": [{"name": "mcp-incident-responder-prod", "value": "secret"}]}
    aws = RecordedAws({"apigateway.get_api_keys": keys})
    deployment = recorded_deployment(aws)
    keys["items"][0]["name"] = deployment.names.api_key
    places = addresses(deployment, each_region=False, no_key=False)
    assert [(place.role, place.key) for place in places] == [("both", "secret")]
    each = addresses(deployment, each_region=True, no_key=False)
    assert [(place.role, place.region) for place in each] == [
        ("primary", "us-east-1"),
        ("failover", "us-west-2"),
    ]
    asked = len(aws.asked)
    assert {place.key for place in addresses(deployment, each_region=True, no_key=True)} == {NO_KEY}
    assert len(aws.asked) == asked
