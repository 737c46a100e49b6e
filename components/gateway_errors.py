"""The errors that API Gateway answers by itself, in the form that reception's own errors have.

`{"error": "<code>", "field": null, "hint": "<what to do>"}`. Overload and failure answer 503 with
Retry-After: Alertmanager tries again at once after a 5xx, and after a 429 only at its next `group_interval`.
https://github.com/prometheus/alertmanager/blob/main/notify/util.go
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

RETRY_AFTER_S: Final = 5
_AGAIN: Final = (
    "nothing is promised yet; send the same alert again after Retry-After, here or to the other region"
)


@dataclass(frozen=True)
class GatewayError:
    """One response type of API Gateway. `status` None keeps the status that each such error has.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html
    """

    type: str
    status: str | None
    code: str
    hint: str

    @property
    def template(self) -> str:
        """The body. Nothing of the request or of AWS's message goes into it."""
        return json.dumps({"error": self.code, "field": None, "hint": self.hint})

    @property
    def headers(self) -> Mapping[str, str]:
        """Response parameters: a constant is in single quotes."""
        if self.status != "503":
            return {}
        return {"gatewayresponse.header.Retry-After": f"'{RETRY_AFTER_S}'"}


GATEWAY_ERRORS: Final = (
    GatewayError("DEFAULT_4XX", None, "refused", "see the README for what POST /alerts takes"),
    GatewayError("DEFAULT_5XX", "503", "unavailable", _AGAIN),
    GatewayError("INTEGRATION_FAILURE", "503", "unavailable", _AGAIN),
    GatewayError("INTEGRATION_TIMEOUT", "503", "unavailable", _AGAIN),
    GatewayError("THROTTLED", "503", "throttled", _AGAIN),
    GatewayError("QUOTA_EXCEEDED", "503", "throttled", _AGAIN),
    GatewayError("INVALID_API_KEY", "403", "forbidden", "send this region's API key in the header x-api-key"),
    GatewayError("MISSING_AUTHENTICATION_TOKEN", "404", "not_found", "use POST /alerts or GET /health"),
    GatewayError("REQUEST_TOO_LARGE", "413", "body_too_large", "send a smaller body, or several"),
    GatewayError("UNSUPPORTED_MEDIA_TYPE", "415", "unsupported_media_type", "send application/json"),
)
