"""One call of the official SDK as a value: performed alike by the synchronous and the asynchronous client."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, Literal

from openai import AsyncOpenAI, OpenAI

How = Literal["whole", "streamed", "helper"]


@dataclass(frozen=True)
class SdkCall:
    """A method of the SDK, its arguments, and how the answer is taken."""

    method: str
    """Dotted, below the client."""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    how: How = "whole"
    """`streamed`: with `stream=True`; `helper`: the method is a context manager of events."""

    @property
    def unstreamed(self) -> SdkCall:
        """The same question with its answer in one piece."""
        arguments = {name: value for name, value in self.arguments.items() if name != "stream_options"}
        method = self.method.removesuffix(".stream") + ".create" if self.how == "helper" else self.method
        return SdkCall(method, arguments)

    def perform(self, client: OpenAI) -> Any:
        """What came back, as plain values."""
        method = attrgetter(self.method)(client)
        if self.how == "helper":
            with method(**self.arguments) as stream:
                return [_plain(event) for event in stream]
        if self.how == "streamed":
            return [_plain(chunk) for chunk in method(**self.arguments, stream=True)]
        return _plain(method(**self.arguments))

    async def perform_later(self, client: AsyncOpenAI) -> Any:
        """The same by the asynchronous client."""
        method = attrgetter(self.method)(client)
        if self.how == "helper":
            async with method(**self.arguments) as stream:
                return [_plain(event) async for event in stream]
        if self.how == "streamed":
            return [_plain(chunk) async for chunk in await method(**self.arguments, stream=True)]
        return _plain(await method(**self.arguments))


def _plain(value: Any) -> Any:
    return value.model_dump(warnings=False)
