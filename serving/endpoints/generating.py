"""The endpoints that generate, as every server of ours has them."""

from __future__ import annotations

import re
from typing import Final

from serving.endpoints.base import Endpoint
from serving.endpoints.chat import ChatCompletions
from serving.endpoints.completions import Completions
from serving.endpoints.messages import Messages
from serving.endpoints.responses import Responses

GENERATING: Final = re.compile("/v1/(chat/completions|completions|responses|messages)")
"""Their paths."""


def generating() -> dict[str, Endpoint]:
    """The endpoints, by path."""
    return {
        "/v1/chat/completions": ChatCompletions(),
        "/v1/completions": Completions(),
        "/v1/responses": Responses(),
        "/v1/messages": Messages(),
    }
