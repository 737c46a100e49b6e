"""Which alerts share an analysis."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from handlers.domain.signature import error_signature, normalize, signature_of, template_of
from tests.unit.handlers.builders import row

VALUES = [
    ("took 12.5 ms", "took 7 ms"),
    ("took 12.5 ms", "took 2s"),
    ("retrying in 1 minute", "retrying in 10 minutes"),
    ("peer 10.0.0.1:8080 gone", "peer 192.168.1.200 gone"),
    ("peer fe80:0:0:0:1:2:3:4 gone", "peer 10.0.0.1 gone"),
    ("peer ::1 gone", "peer 2001:db8::8a2e:370:7334 gone"),
    ("block 0xDEADBEEF", "block 0x01"),
    ("commit 9fceb02d0ae598e9", "commit 0123456789abcdef"),
    ("id 123e4567-e89b-12d3-a456-426614174000", "id 00000000-0000-0000-0000-000000000000"),
    ("cannot open /var/log/a.log", "cannot open /etc/passwd"),
    (r"cannot open C:\Temp\a.txt", r"cannot open D:\data\b.bin"),
    ('user "alice" locked', 'user "bob" locked'),
    ("Failed password for root from 10.0.0.1 port 22", "Failed password for deploy from 10.9.9.9 port 5022"),
    ("session opened for user alice by (uid=0)", "session opened for user bob7 by (uid=1000)"),
    ("at 2026-11-23T08:00:00.123Z", "at 2025-01-01 00:00:00"),
    ("since Mon Nov 23 08:00:01 2026", "since Fri Jan  2 23:59:59 2027"),
    ("GET https://a.example/x?y=1 failed", "GET http://b.example/ failed"),
    ("Disk  Full", "Disk Full"),
    ("CPU usage is 94.73684210526315%", "CPU usage is 100%"),
    ("value 0.9473684210526315 above 0.9", "value 1.2e+06 above 0.9"),
    ("ratio is NaN", "ratio is 0.25"),
    ("ratio is +Inf", "ratio is 0.25"),
    ("queue of 1,234,567 messages", "queue of 12 messages"),
    ("wrote 1.5 KB (1536 bytes) to disk", "wrote 3 MiB (3145728 bytes) to disk"),
    ("pod shop/cart-7c9d8f5b6d-x2m9q crashed", "pod shop/cart-65f4c9b8d7-hbtwz crashed"),
    ("daemon fluentd-x7k2p is late", "daemon fluentd-4jv8c is late"),
    ("db-0 has no leader", "db-2 has no leader"),
    ("lost ip-10-2-33-4.eu-west-1.compute.internal", "lost ip-10-9-0-17.eu-west-1.compute.internal"),
    ("lost 00:1B:44:11:3A:B7", "lost 0a:00:27:00:00:0e"),
    ("mail to ann@example.com bounced", "mail to bo.li@mail.example.org bounced"),
    ("IN=eth0 SRC=10.0.0.1 DPT=22", "IN=eth1 SRC=10.0.0.7 DPT=443"),
    ('lock taken, tag="Big Lock", pid=1', 'lock taken, tag="other", pid=22'),
    ("of 2 [93.4 (01/05/26 10:00:00), 7 (01/05/26 10:01:00)]", "of 1 [1.5 (02/05/26 11:00:00)]"),
    ("arn:aws:sqs:us-east-1:123456789012:q-1 is old", "arn:aws:sqs:eu-west-1:210987654321:q-2 is old"),
    ("closed, 1165 bytes (1.13 KB) sent", "closed, 12 bytes sent"),
    ("up since Tue, 05 May 2026 10:00:00 GMT", "up since Wed, 13 May 2026 11:10:09 GMT"),
    ("bad header, type=41092", "bad header, type=77752"),
    ("error=1445144423722", "error=1445144429999"),
    ("state (0=sup,5=usr)", "state (4=sup,3=usr)"),
    ("User alice not found", "User bob not found"),
    ("offsets [1, 2, 3] lag", "offsets [4, 5, 6, 7, 8] lag"),
    ("down: node-1 <ok> node-2 <ok>", "down: node-4 <ok> node-5 <ok> node-6 <ok>"),
    ("goroutine 18 [running]: main.go:53 +0x1d", "goroutine 7 [running]: main.go:53 +0x2f"),
    ("at app.Shop.buy(Shop.java:12)", "at app.Shop.buy(Shop.java:34)"),
    ("Consumer clientId=consumer-a-1, groupId=g left", "Consumer clientId=consumer-b-7, groupId=h left"),
    ("Out of memory: Killed process 4321 (java)", "Out of memory: Killed process 77 (java)"),
    ("task_1690000000000_0007_m_000003 is lost", "task_1690000000000_0012_r_000001 is lost"),
    ('10.0.0.7 "GET /a HTTP/1.1" status: 200 len: 17 time: 0.2',
     '10.0.0.7 "GET /b?c=d HTTP/1.1" status: 404 len: 9 time: 3'),
    ('{"took":"7 s","pid":12,"msg":"gone"}', '{"took":"13 s","pid":9,"msg":"gone"}'),
    ('{"host": "a", "pid": 12}', '{"host": "b", "pid": 9}'),
    ("task id 4711 lost", "task id 42 lost"),
    ("version 5.1.1 of 3", "version 4.2.0 of 3"),
    ("order ORD12345 is late", "order ORD54321 is late"),
    ("KeyError: 'u-4711'", "KeyError: 'u-42'"),
    ("Access denied for user 'root'@'localhost'", "Access denied for user 'shop'@'10.0.0.4'"),
]  # fmt: skip

NAMES = [
    ("disk full", "disk empty"),
    ("last 50 calls of auth: status 401", "last 50 calls of auth: status 503"),
    ("status=401", "status=503"),
    ("status: 401", "status: 503"),
    ('"GET /a HTTP/1.1" 401 12', '"GET /a HTTP/1.1" 503 12'),
    ('10.0.0.7 "GET /a HTTP/1.1" status: 200 len: 17 time: 0.2',
     '10.0.0.7 "GET /a HTTP/1.1" status: 500 len: 17 time: 0.2'),
    ("upstream returned 502", "upstream returned 504"),
    ("upstream responded with 502 Bad Gateway", "upstream responded with 503 Service Unavailable"),
    ("HTTP 429 from billing", "HTTP 500 from billing"),
    ("4xx from billing", "5xx from billing"),
    ("container exited with exit code 1", "container exited with exit code 137"),
    ("container exited (137)", "container exited (1)"),
    ("exit status 2", "exit status 127"),
    ("main process exited, code=exited, status=1/FAILURE", "main process exited, code=killed, status=9/KILL"),
    ("unit failed with result 'exit-code'", "unit failed with result 'oom-kill'"),
    ("killed by signal 9", "killed by signal 11"),
    ("signal (11) core dumped", "signal (6) core dumped"),
    ("ORA-01555: snapshot too old", "ORA-00600: snapshot too old"),
    ("SQLSTATE 40001", "SQLSTATE 23505"),
    ("SQLSTATE[40001]: failure", "SQLSTATE[23505]: failure"),
    ("ERROR 1045 (28000): denied", "ERROR 1044 (42000): denied"),
    ("[MY-010119] Aborting", "[MY-010131] Aborting"),
    ("open: [Errno 13] denied", "open: [Errno 2] denied"),
    ("write failed: ENOSPC", "write failed: EIO"),
    ("ioctl failed: -5", "ioctl failed: -110"),
    ("setup ended, HRESULT 0x80070005", "setup ended, HRESULT 0x80070002"),
    ("exception 0xC0000005 in app", "exception 0xC0000374 in app"),
    ("rpc error: code = Unavailable desc = gone", "rpc error: code = DeadlineExceeded desc = gone"),
    ("audit: type=1400", "audit: type=1326"),
    ("grpc-status: 14", "grpc-status: 4"),
    ("ErrorCode 5", "ErrorCode 12"),
    ("open failed: WinError 10061", "open failed: WinError 10054"),
    ("rpc error: code = 14", "rpc error: code = 4"),
    ('reason="OOMKilled"', 'reason="Error"'),
    ("E11000 duplicate key", "E11001 duplicate key"),
    ("segfault at 0 error 4 in libc", "segfault at 0 error 6 in libc"),
    ("java.net.ConnectException: refused", "java.net.SocketException: refused"),
    ("healthy=true", "healthy=false"),
    ('level=error msg="dial timeout"', 'level=error msg="no such host"'),
    ('{"status":503,"pid":12}', '{"status":401,"pid":12}'),
    ('{"reason": "OOMKilled"}', '{"reason": "Error"}'),
    ("磁盘已满" * 100, "磁盘已空" * 100),
    ("x" * 300 + ",disk_full", "x" * 300 + ",disk_empty"),
    ("check: user unknown", "check: user expired"),
    ("Event ID 7031: service ended", "Event ID 7034: service ended"),
    ("EventCode=4625 at logon", "EventCode=4771 at logon"),
    ("SQL state [08006]; error code [0]", "SQL state [57P01]; error code [0]"),
    ("relay said: 550 5.1.1 no mailbox", "relay said: 550 5.7.1 no mailbox"),
    ("550-5.1.1 no mailbox", "552-5.2.2 no mailbox"),
    ("SMTP 421 from relay", "SMTP 550 from relay"),
    ("HTTPCode_ELB_5XX_Count is high", "HTTPCode_ELB_4XX_Count is high"),
    ("5XX rate is high", "4XX rate is high"),
    ("non-2xx response: 404", "non-2xx response: 500"),
    ("ORA-600 [17114]", "ORA-7445 [17114]"),
    ("AADSTS50034: no entry", "AADSTS50076: no entry"),
    ("SQL0911N ended", "SQL0904N ended"),
    ("%ASA-4-106023: seen", "%ASA-6-302013: seen"),
    ("error:0A000086:SSL routines", "error:0A00010B:SSL routines"),
    ("TLS alert 40", "TLS alert 48"),
    ("npm ERR! code E404", "npm ERR! code E401"),
    ("ended with completion code S0C7", "ended with completion code S322"),
    ("bugcheck 0x0000009f", "bugcheck 0x000000d1"),
    ("DNS rcode 2", "DNS rcode 3"),
    ("KeyError: 'price'", "KeyError: 'customer_id'"),
    ("error code 'NoSuchKey'", "error code 'AccessDenied'"),
]  # fmt: skip


@pytest.mark.parametrize(("one", "other"), VALUES)
def test_what_varies_between_occurrences_does_not_count(one: str, other: str) -> None:
    """Two occurrences of one fault have one signature."""
    assert normalize(one) == normalize(other)
    assert signature_of(row(message=one)) == signature_of(row(message=other))
    assert len(template_of(one).values) == len(template_of(other).values)


@pytest.mark.parametrize(("one", "other"), NAMES)
def test_a_code_is_a_name(one: str, other: str) -> None:
    """What names the cause tells faults apart, a number too where it is a code."""
    assert normalize(one) != normalize(other)
    assert error_signature(one) != error_signature(other)


@pytest.mark.parametrize(
    "change", [{"message": "disk empty"}, {"title": "Other"}, {"component": "db"}, {"source": "other"}]
)
def test_what_tells_faults_apart_counts(change: dict[str, str]) -> None:
    """Message, title, component and source are part of it."""
    assert signature_of(row(message="disk full")) != signature_of(row(**({"message": "disk full"} | change)))


def test_host_severity_and_times_do_not_count() -> None:
    """One fault on two hosts is analysed once."""
    one, other = (
        row(host="a", severity="ERROR"),
        row(host="b", severity="INFO", timestamp="2020-01-01T00:00:00Z"),
    )
    assert signature_of(one) == signature_of(other)


def test_pods_of_one_deployment_share_an_analysis() -> None:
    """The name of a pod is a value in the title too, with digits in its suffix and without."""
    pods = ("pay-7c9d8f5b6d-x2m9q", "pay-7c9d8f5b6d-hbtwz", "pay-6bcdf9wxyz-4jv8c", "pay-7c9d8f5b6d-qqrlk")
    alerts = [
        row(title=f"Pod {pod} is crash looping", message=f"back-off restarting container app in pod {pod}")
        for pod in pods
    ]
    assert len({signature_of(alert) for alert in alerts}) == 1


def test_a_status_in_the_title_tells_alerts_apart() -> None:
    """The code counts wherever it is said."""
    one, other = (row(title=f"Upstream answers {status}", message="calls fail") for status in (401, 503))
    assert signature_of(one) != signature_of(other)


def test_a_component_counts_without_its_values() -> None:
    """What runs the thing, by number, is no other fault."""
    one, other = (row(component=f"{number}:Sender$Worker") for number in (4711, 188978561024))
    assert signature_of(one) == signature_of(other)


@pytest.mark.parametrize(
    ("message", "values"),
    [
        ("took 12.5 ms", ("12.5 ms",)),
        ("peer 10.0.0.1:8080 (web) gone", ("10.0.0.1:8080",)),
        ('uid=0 user=root, tag="Big Lock"', ("0", "root", '"Big Lock"')),
        ("since Fri Jun 17 07:07:00 2005", ("Fri Jun 17 07:07:00 2005",)),
        ("down: node-1 <ok> node-2 <ok>", ("1 2",)),
        ("sent 1536 bytes (1.5 KB) to x", ("1536 bytes (1.5 KB)",)),
        ("offsets [1, 2, 3] lag", ("1, 2, 3",)),
        ("took <*> of 5", ("<*>", "5")),
        ("status 503", ()),
    ],
)
def test_values_stand_in_the_order_of_their_placeholders(message: str, values: tuple[str, ...]) -> None:
    """A cached answer can be filled with the values of the alert at hand."""
    assert template_of(message).values == values
    assert normalize(message).count("<*>") == len(values)


@example(["disk<*>", "disk<*>", "5"])
@example(["a<*>", "1", "a<*>1", "1"])
@example(["Mon", ":550"])
@example(["a<*>", "a1", "a1"])
@given(
    st.lists(
        st.sampled_from(
            [
                "status=<*>",
                "x=a<*>",
                "a<*>",
                "<*>b<*>",
                "user",
                "for",
                "<*>",
                *(word for pair in VALUES + NAMES for text in pair for word in text.split()),
            ]
        )
        | st.text(max_size=8),
        max_size=30,
    )
)
def test_each_value_has_a_placeholder(words: list[str]) -> None:
    """So messages with one template have equally many values, whatever they are made of."""
    template = template_of(" ".join(words))
    assert template.text.count("<*>") == len(template.values)


@pytest.mark.parametrize(
    "filling", ["0", "1.", '"', "'", "/a", "1:", "a-", ".", "a.", "=", "a=", "a@", "<*>", "(", "1 ", "a1 "]
)
def test_hostile_text_is_normalised_in_bounded_time(filling: str) -> None:
    """Long runs that could make a pattern backtrack cost nothing noticeable, and leave a bounded template."""
    assert len(normalize(filling * 100_000)) <= 20_000
