"""Secrets, read again within five minutes of a rotation and at once when a service says that one is wrong."""

from typing import TYPE_CHECKING, Final

from botocore.exceptions import BotoCoreError, ClientError

from handlers.domain.ports import Clock
from topology.secret_checks import CURRENT

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

MAX_AGE_S: Final = 240
"""Below the five minutes promised, by more than an invocation takes."""

_MISSING: Final = frozenset({"ResourceNotFoundException", "InvalidRequestException"})
"""No such secret or no current value; or marked for deletion.
https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html"""


class SecretMissingError(Exception):
    """The secret does not exist or has no value: only an operator can help."""


class SecretUnavailableError(Exception):
    """The secret cannot be read now, and what was read before, if anything, will not do. Try later."""


class Secret:
    """One secret's text. Its value is never logged and never part of an error."""

    def __init__(
        self, client: "SecretsManagerClient", name: str, clock: Clock, *, stage: str = CURRENT
    ) -> None:
        """`name` is the secret's name, `stage` that of its version; nothing is read yet."""
        self._client = client
        self._name = name
        self._stage = stage
        self.version = ""
        """The id of the version that was read last."""
        self._clock = clock
        self._value: str | None = None
        self._read_at_ms = 0

    def value(self, *, fresh: bool = False) -> str:
        """The value, at most `MAX_AGE_S` old; read now when `fresh`.

        While the service is unreachable the last value read is used, but not when `fresh`: who asks for that
        doubts it.

        Raises:
            SecretMissingError: there is none.
            SecretUnavailableError: it cannot be read now.
        """
        now_ms = self._clock.now_ms()
        if self._value is not None and not fresh and now_ms - self._read_at_ms < MAX_AGE_S * 1000:
            return self._value
        try:
            answer = self._client.get_secret_value(SecretId=self._name, VersionStage=self._stage)
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in _MISSING:
                raise self._missing("does not exist or has no value") from error
            return self._last_known(error, fresh=fresh)
        except BotoCoreError as error:
            return self._last_known(error, fresh=fresh)
        text = answer.get("SecretString", "").strip()
        self.version = answer.get("VersionId", "")
        if not text:
            raise self._missing("is empty")
        self._value, self._read_at_ms = text, now_ms
        return text

    def _missing(self, how: str) -> SecretMissingError:
        self._value = None
        return SecretMissingError(f"the secret {self._name} {how}; put its value there")

    def _last_known(self, error: Exception, *, fresh: bool) -> str:
        if self._value is not None and not fresh:
            return self._value
        raise SecretUnavailableError(
            f"the secret {self._name} cannot be read: {type(error).__name__}; try later"
        ) from error
