"""The one error that people are shown without a traceback."""


class ExplainedError(Exception):
    """An expected failure. Its text, one line, says what is wrong and what to do next."""
