"""A load goes only where it is meant to: what is not there, not allowed or not its own is one line."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from loadtests.target import LoadRefusedError, open_target
from tests.fakes.http_server import Answer, ScriptedServer
from topology.outputs import ALL


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    """A webhook that refuses an empty object, as reception does."""
    one = ScriptedServer([Answer(400)])
    yield one
    one.stop()


def outputs(folder: Path, stack: str) -> str:
    """A file of a real stack's outputs."""
    path = folder / "outputs.json"
    values = dict.fromkeys(ALL, "http://nowhere.test") | {"Stack": stack}
    path.write_bytes(msgspec.json.encode(values))
    return str(path)


def refusal(**options: str) -> str:
    """Why a load is refused."""
    with pytest.raises(LoadRefusedError) as raised:
        open_target(**options)
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_a_webhook_on_this_machine_needs_no_stack(server: ScriptedServer) -> None:
    """Of what is behind it nothing is known."""
    target = open_target(host=f"{server.url}/alerts", api_key="k")
    assert (target.deployment, target.emulator) == (None, None)
    assert [webhook.url for webhook in target.webhooks] == [f"{server.url}/alerts"]
    assert server.heard[0].headers["x-api-key"] == "k"


@pytest.mark.parametrize("host", ["https://example.com/alerts", "http://10.0.0.7/", "alerts", "http://"])
def test_a_webhook_elsewhere_is_refused(host: str) -> None:
    """It may be anybody's: a stack is named by its outputs, and has to allow it."""
    assert "takes a webhook on this machine" in refusal(host=host)


def test_a_webhook_where_nothing_answers_is_said(server: ScriptedServer) -> None:
    """Before any alert is sent."""
    server.stop()
    assert "nothing answers at the webhook of host" in refusal(host=server.url)


@pytest.mark.parametrize("status", [401, 403])
def test_a_wrong_key_is_said(server: ScriptedServer, status: int) -> None:
    """And not counted as thousands of refusals."""
    server.script = [Answer(status)]
    assert f"host refuses the API key ({status})" in refusal(host=server.url)


def test_no_stack_is_said(tmp_path: Path) -> None:
    """With the folder that was looked into."""
    assert str(tmp_path) in refusal(run_dir=str(tmp_path))


@pytest.mark.parametrize("typed", ["", "staging"])
def test_a_real_stacks_name_has_to_be_typed(tmp_path: Path, typed: str) -> None:
    """Another one will not do."""
    assert "confirm with --stack-name dev" in refusal(outputs=outputs(tmp_path, "dev"), stack_name=typed)


def test_a_stack_that_does_not_allow_chaos_is_left_alone(tmp_path: Path) -> None:
    """Although its name was typed."""
    said = refusal(outputs=outputs(tmp_path, "prod"), stack_name="prod")
    assert "does not say `chaos: allowed`" in said


def test_outputs_that_are_none_are_said(tmp_path: Path) -> None:
    """As are those of nothing."""
    (tmp_path / "outputs").write_text("[]")
    assert "cannot be read as JSON" in refusal(outputs=str(tmp_path / "outputs"))
    (tmp_path / "outputs").write_text("{}")
    assert "none of a stack's outputs is there" in refusal(outputs=str(tmp_path / "outputs"))
