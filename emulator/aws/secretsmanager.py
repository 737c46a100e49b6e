"""A secret that is made without a value has none; ministack gives it an empty version, which is current.

A stack whose secrets nobody has put would look as if they were there. `emulator.aws.host` installs it.
https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CreateSecret.html
"""

# ruff: noqa: SLF001 - it corrects ministack, whose functions are private

from typing import Any

from ministack.services import secretsmanager


def leave_new_secrets_empty() -> None:
    """Keep no version of a secret that is made without a value."""
    store = secretsmanager._store_new_secret

    def stored(
        name: str, secret_string: str | None = None, secret_binary: Any = None, **settings: Any
    ) -> tuple[str, str]:
        made: tuple[str, str] = store(name, secret_string, secret_binary, **settings)
        if secret_string is None and secret_binary is None:
            secretsmanager._secrets[name]["Versions"].clear()
        return made

    secretsmanager._store_new_secret = stored
