"""What of an alert's text a terminal is shown."""


def printable(text: str) -> str:
    """Alert text is hostile: what would steer the terminal is shown as a question mark."""
    return "".join(c if c.isprintable() else "?" for c in text)
