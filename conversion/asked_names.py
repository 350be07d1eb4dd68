"""Names of tasks from the LLM, where the owner allows that it is asked (`learning.names_by`)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import httpx2

from conversion.cluster.clustering import Sketch
from wire.tolerant import mapping, mappings, text

_SECONDS: Final = 30.0
_LONGEST: Final = 60
_ASKED: Final = (
    "You name the jobs of programs that call a language model. Answer with a name and nothing else: two to four words "
    "in small letters joined by hyphens, such as classify-support-ticket or extract-invoice-fields."
)


@dataclass(slots=True)
class AskedNames:
    """Asks for a name (`conversion.cluster.naming.Namer`); whatever goes wrong leaves the task its plain name.

    The LLM is shown what a sketch tells: the words that the instructions of a task's calls share, tools, schema, and
    the answers of a closed set. It sees no call."""

    base_url: str
    """Of the upstream; ends with `/v1`."""
    model: str
    note: Callable[[str], None]
    """Told once why names stay plain."""
    api_key: str = field(default="", repr=False)
    _failed: bool = False

    def __call__(self, sketch: Sketch) -> str:
        """A name; empty where there is none. After a failure nobody is asked again."""
        if self._failed:
            return ""
        headers = {"authorization": f"Bearer {self.api_key}"} if self.api_key else {}
        messages = [{"role": "system", "content": _ASKED}, {"role": "user", "content": _told(sketch)}]
        asked = {"model": self.model, "messages": messages, "temperature": 0}
        try:
            url = f"{self.base_url}/chat/completions"
            response = httpx2.post(url, json=asked, headers=headers, timeout=_SECONDS, trust_env=False)
            response.raise_for_status()
            answered = response.json()
        except (httpx2.HTTPError, ValueError) as error:
            self._failed = True
            self.note(
                f"{self.model} could not be asked for names ({type(error).__name__}); tasks have plain ones"
            )
            return ""
        choice = next(iter(mappings(mapping(answered).get("choices"))), {})
        name = text(mapping(choice.get("message")).get("content")).strip()
        return name if 0 < len(name) <= _LONGEST and "\n" not in name else ""


def _told(sketch: Sketch) -> str:
    parts = {
        "instructions": sketch.opening,
        "tools that it calls": ", ".join(sketch.tools),
        "schema of its answers": sketch.schema,
        "its answers": ", ".join(sketch.answers) or f"open, {sketch.kind}",
    }
    return "\n".join(f"{name}: {value}" for name, value in parts.items() if value)
