"""What a failover waits for, what it does not, and what it says when that was in vain."""

import pytest

from clients.rows import LedgerUnreachableError
from dr.operations.journal import OperationFailedError, State
from tests.fakes.aws_refusals import Refusals, refusal
from tests.fakes.dr_operator import fail_over
from tests.fakes.dr_stack import DrStack, dr_stack


@pytest.fixture
def stack(aws: None) -> DrStack:  # noqa: ARG001 - moto
    """Nothing is wrong."""
    return dr_stack()


def test_a_ledger_that_a_person_has_to_open_fails_at_once_with_the_reason(stack: DrStack) -> None:
    """Waiting changes nothing, and would hide what does."""
    stack.clients.refusing = Refusals("delete_item", refusal("AccessDeniedException"))
    began_s = stack.clock.s
    with pytest.raises(OperationFailedError, match="AccessDeniedException"):
        fail_over(stack)
    assert stack.clock.s == began_s


def test_a_ledger_that_is_busy_for_a_moment_is_waited_for(stack: DrStack) -> None:
    """Until it takes the write."""
    stack.clients.refusing = Refusals("delete_item", refusal("ThrottlingException"), times=2)
    assert fail_over(stack).step("check").state is State.DONE


def test_a_ledger_that_stays_busy_is_named_by_what_it_answered_last(stack: DrStack) -> None:
    """Beside what was waited for."""
    stack.clients.refusing = Refusals("delete_item", refusal("ThrottlingException"))
    with pytest.raises(OperationFailedError, match=r"takes a write: not so .*; at last: .*Throttling"):
        fail_over(stack)


@pytest.mark.parametrize("status", [403, 422])
def test_an_alert_that_is_refused_for_good_fails_at_once_by_its_status(stack: DrStack, status: int) -> None:
    """RestoreOptions again it would be refused again."""
    stack.web.refuses = status
    with pytest.raises(OperationFailedError, match=rf"refuses an alert with {status} \(Forbidden\)"):
        fail_over(stack)
    assert len(stack.web.posted) == 1


@pytest.mark.parametrize("status", [408, 429, 503])
def test_an_alert_that_may_be_taken_later_is_posted_until_the_deadline(stack: DrStack, status: int) -> None:
    """Whose error has the last answer."""
    stack.web.refuses = status
    with pytest.raises(OperationFailedError, match=f"at last: the webhook answers {status}"):
        fail_over(stack)
    assert len(stack.web.posted) > 1


def test_rows_that_stay_unread_fail_the_step(stack: DrStack) -> None:
    """In one line, as everything that a region does not answer, and the operation can be run again."""
    stack.clients.refusing = Refusals("batch_get_item", LedgerUnreachableError("left 1 rows unread"))
    with pytest.raises(OperationFailedError, match="test-alert: left 1 rows unread; run it again"):
        fail_over(stack)
