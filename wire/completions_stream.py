"""The final body of a completions stream."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wire.chat_stream import ChoicesStream


class CompletionsStream(ChoicesStream):
    """Accumulates `text_completion` chunks."""

    object_name = "text_completion"

    def is_output(self, choice: Mapping[str, Any]) -> bool:
        return bool(choice.get("text"))
