"""JMESPath over bodies of strangers: what is allowed is known before, and evaluating ends."""

import pytest

from handlers.domain.expressions import (
    EVALUATION_ERRORS,
    MAX_NODES,
    Evaluation,
    TooManyStepsError,
    problem_of,
)


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("foo[", "at character 5"),
        ("foo bar", "unexpected token: bar, at character 5"),
        ("'open", "unclosed ' delimiter, at character 1"),
        ("a ~ b", "unknown token ~, at character 3"),
        ("", "it is no JMESPath"),
        ("shout(a)", "there is no function 'shout'"),
        ("join(a)", "join() takes 2 arguments, and has 1"),
        ("not_null()", "not_null() takes at least 1 arguments, and has 0"),
        ("a[?length(@, @) > `1`]", "length() takes 1 arguments, and has 2"),
        ("a[::0]", "no step of 0"),
        (" || ".join(["a"] * MAX_NODES), "at most 80"),
        ("(" * 290, "it is no JMESPath"),
    ],
)
def test_an_expression_that_cannot_be_evaluated_is_known_before(expression: str, words: str) -> None:
    """With the place where it is wrong, if it is a place."""
    assert words in (problem_of(expression) or "")


@pytest.mark.parametrize(
    "expression",
    [
        "title",
        "a.b[0].c",
        "labels[?name=='x'] | [0].value",
        "join('/', [a, to_string(b)])",
        '`"constant"`',
        "@",
    ],
)
def test_what_senders_need_is_allowed(expression: str) -> None:
    """Fields, filters, functions and constants."""
    assert problem_of(expression) is None


def test_an_expression_that_doubles_what_it_has_ends() -> None:
    """A list twice as long with each part would take all memory after thirty of them."""
    doubling = " | ".join(["[@, @][]"] * 30)
    with pytest.raises(TooManyStepsError):
        Evaluation().value(doubling, [1] * 1_000)


def test_all_expressions_over_one_body_share_their_steps() -> None:
    """So that a body of many members is no way around."""
    evaluation = Evaluation(steps=1_000)
    for _ in range(1_000):
        assert evaluation.value("a", {"a": 1}) == 1
    with pytest.raises(TooManyStepsError):
        evaluation.value("a", {"a": 1})


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("join(',', a)", {"a": [1]}),
        ("sort(a)", {"a": [1, "x"]}),
        ("ceil(to_number(a))", {"a": "1e999"}),
        ("length(a)", {"a": None}),
        ("sum(a)", {"a": "text"}),
        ("max_by(a, &b)", {"a": [{"b": 1}, {"b": "x"}]}),
    ],
)
def test_a_value_that_an_expression_does_not_expect_is_one_of_the_known_errors(
    expression: str, value: object
) -> None:
    """Whatever the library or Python raises for it."""
    assert problem_of(expression) is None
    with pytest.raises(EVALUATION_ERRORS):
        Evaluation().value(expression, value)
