"""Refusals: the errors that a server of these endpoints answers with, in the shape that clients understand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class ApiError(Exception):
    """An answer that is an error. `message` is for people; `type`, `param` and `code` are for programs."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        type: str = "invalid_request_error",  # noqa: A002  (the wire format's word)
        param: str | None = None,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.type = type
        self.param = param
        self.code = code
        self.headers = dict(headers or {})

    def envelope(self) -> dict[str, Any]:
        """The JSON body: `{"error": {"message", "type", "param", "code"}}`."""
        error = {"message": self.message, "type": self.type, "param": self.param, "code": self.code}
        return {"error": error}


def not_found(method: str, path: str) -> ApiError:
    """What the API says to a path that it does not know."""
    return ApiError(404, f"Invalid URL ({method} {path})")


def unknown_model(model: str) -> ApiError:
    """What the API says to a model that it does not have."""
    message = f"The model `{model}` does not exist or you do not have access to it."
    return ApiError(404, message, code="model_not_found")


def wrong_key(key: str) -> ApiError:
    """What the API says to a key that it does not know; only the last four characters are repeated."""
    if not key:
        message = (
            "You didn't provide an API key. You need to provide your API key in an Authorization header using "
            "Bearer auth (i.e. Authorization: Bearer YOUR_KEY)."
        )
        return ApiError(401, message)
    shown = "*" * 8 + key[-4:]
    return ApiError(401, f"Incorrect API key provided: {shown}.", code="invalid_api_key")
