"""An endpoint that answers a handler's calls as AWS and Slack would, at little cost: `python -m` this module.

It prints its port and serves until its standard input ends. Rows are there under every id: one that waits for
analysis, or for distribution where the id begins with `analyzed`; a batch finds those that were changed, and
what a handler changes of a row stays. The cache has an analysis for every signature; nothing else is stored.
"""

import asyncio
import sys
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from handlers.adapters.aws.dynamodb import attributes_of
from handlers.adapters.aws.items import item_of
from handlers.domain.alert import Alert, Analysis
from handlers.domain.states import analyzed, received
from topology.alerts import SCHEMA, FaultState, Severity, Status
from topology.tables import ALERTS, ANALYSIS_CACHE

ANALYZED: Final = "analyzed"
"""How the id of an alert begins that waits for distribution."""

SLACK_PATH: Final = "/services/T000/B000/bench"
_LATER_S: Final = 4_000_000_000
_ANALYSIS: Final = Analysis(
    summary="The disk of a database fills up with logs that nobody rotates.",
    probable_cause="Log rotation has stopped on the host.",
    actions=("Free space by deleting old logs.", "Start log rotation again.", "Add an alarm at 80 %."),
    confidence="high",
    model="claude-canned",
)
_ALERT: Final = received(
    Alert(
        alert_id="a",
        status=Status.RECEIVED,
        severity=Severity.HIGH,
        timestamp=1_795_420_800,
        created_at="2026-11-23T08:00:00.000Z",
        accepted_at_ms=1_795_420_800_000,
        region="us-east-1",
        owner="us-east-1",
        format="generic",
        source="billing",
        title="Disk almost full",
        message="/var/lib/db is at 93 % on db-7",
        identity="i" * 64,
        raw="{}",
        schema=SCHEMA,
        host="db-7",
        component="db",
        fault_key="f" * 32,
        state=FaultState.FIRING,
        changed_at_ms=1_795_420_800_000,
        body_hash="b" * 64,
    ),
    due_at=_LATER_S,
)
_ROWS: Final = {
    False: item_of(attributes_of(_ALERT)),
    True: item_of(attributes_of(analyzed(_ALERT, _ANALYSIS, due_at=_LATER_S))),
}
_CACHED: Final = item_of({"analysis": attributes_of(_ANALYSIS), "expires_at": _LATER_S})


class _Tables:
    """The answers of DynamoDB; the rows that a handler changed."""

    def __init__(self) -> None:
        self._changed: dict[str, dict[str, Any]] = {}

    def answer(self, operation: str, request: Any) -> Mapping[str, Any]:
        """The answer to one call."""
        match operation:
            case "GetItem":
                return self._item(request["TableName"], request["Key"])
            case "UpdateItem" if "alert_id" in request["Key"]:
                self._change(request)
                return {}
            case "UpdateItem":
                return {"Attributes": {"values": {"M": {"count": {"N": "1"}}}}}
            case "BatchGetItem":
                ((table, wanted),) = request["RequestItems"].items()
                ids = [key["alert_id"]["S"] for key in wanted["Keys"] if "alert_id" in key]
                found = [self._changed[alert_id] for alert_id in ids if alert_id in self._changed]
                return {"Responses": {table: found}, "UnprocessedKeys": {}}
            case "Query":
                return {"Items": [], "Count": 0}
            case "PutItem" | "DeleteItem":
                return {}
        raise NotImplementedError(operation)

    def _item(self, table: str, key: Mapping[str, Any]) -> Mapping[str, Any]:
        if table.endswith(ALERTS.suffix):
            return {"Item": self._row(key["alert_id"]["S"])}
        return {"Item": {**_CACHED, **key}} if table.endswith(ANALYSIS_CACHE.suffix) else {}

    def _row(self, alert_id: str) -> dict[str, Any]:
        stored = _ROWS[alert_id.startswith(ANALYZED)]
        return self._changed.get(alert_id) or stored | {"alert_id": {"S": alert_id}}

    def _change(self, request: Mapping[str, Any]) -> None:
        """Set and remove what the expression names: each attribute is `#name`, and its new value `:name`."""
        alert_id = request["Key"]["alert_id"]["S"]
        row = dict(self._row(alert_id))
        sets, _, removes = request["UpdateExpression"].partition("REMOVE")
        for name in request["ExpressionAttributeNames"].values():
            if f":{name}" in request["ExpressionAttributeValues"] and f"#{name} =" in sets:
                row[name] = request["ExpressionAttributeValues"][f":{name}"]
            elif f"#{name}" in removes.replace(",", "").split():
                row.pop(name, None)
        self._changed = {alert_id: row}  # of the alert under way; nobody asks for one before


def _answer(tables: _Tables, path: bytes, target: bytes, body: bytes, port: int) -> bytes:
    if path == SLACK_PATH.encode():
        return b"ok"
    service, _, operation = target.decode().rpartition(".")
    request = msgspec.json.decode(body)
    if service.startswith("DynamoDB"):
        return msgspec.json.encode(tables.answer(operation, request))
    if operation == "SendMessageBatch":
        sent = [
            {"Id": entry["Id"], "MessageId": "m", "MD5OfMessageBody": "d"} for entry in request["Entries"]
        ]
        return msgspec.json.encode({"Successful": sent, "Failed": []})
    if operation == "GetSecretValue":
        return msgspec.json.encode({"SecretString": f"http://127.0.0.1:{port}{SLACK_PATH}"})
    raise NotImplementedError(target)


async def _serve() -> None:
    tables = _Tables()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                first, *lines = head.split(b"\r\n")
                headers = {
                    name.lower(): value.strip() for name, _, value in (line.partition(b":") for line in lines)
                }
                body = await reader.readexactly(int(headers.get(b"content-length", b"0")))
                answer = _answer(tables, first.split()[1], headers.get(b"x-amz-target", b""), body, port)
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(answer), answer))
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)
    server.close()


if __name__ == "__main__":
    asyncio.run(_serve())
