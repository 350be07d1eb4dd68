"""Data sets: curated examples as a sealed artifact, read back piece by piece.

Files: `examples-00000` and on (sealed; compressed JSON of some hundred examples, the newest first) and `kept` (sealed:
values that stay as they are). The manifest's facts say which part of the log was read, what was dropped and why.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, overload

import msgspec
import zstandard

from conversion.example import Example
from conversion.privacy.surrogates import Surrogates
from conversion.privacy.veil import unveiled
from store.artifacts import Artifact, Draft
from store.errors import ArtifactError

KIND: Final = "dataset"
NAME: Final = "calls"
_SHARD_EXAMPLES: Final = 500
_SHARD_BYTES: Final = 8 << 20
_LARGEST_SHARD: Final = 1 << 30
_KEPT: Final = "kept"
_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(Example).decode
_decode_all: Final = msgspec.json.Decoder(list[msgspec.Raw]).decode


class DatasetWriter:
    """Writes examples into a draft, a shard at a time; give them the newest first."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._shard: list[bytes] = []
        self._bytes = 0
        self._sizes: list[int] = []
        self._digest = hashlib.sha256()

    def add(self, example: Example) -> None:
        """Add one; raises ArtifactError, as when the disk is full."""
        encoded = _encode(example)
        self._digest.update(encoded)
        self._shard.append(encoded)
        self._bytes += len(encoded)
        if len(self._shard) >= _SHARD_EXAMPLES or self._bytes >= _SHARD_BYTES:
            self._flush()

    def commit(self, facts: Mapping[str, Any], kept: Mapping[str, str]) -> Artifact:
        """Make it a version; `kept` are values that stay, by digest."""
        self._flush()
        self._draft.write(_KEPT, _encode(dict(kept)), sealed=True)
        about = {"examples": sum(self._sizes), "shards": self._sizes, "sha256": self._digest.hexdigest()}
        return self._draft.commit(about | dict(facts))

    def _flush(self) -> None:
        if not self._shard:
            return
        packed = zstandard.ZstdCompressor().compress(b"[" + b",".join(self._shard) + b"]")
        self._draft.write(f"examples-{len(self._sizes):05d}", packed, sealed=True)
        self._sizes.append(len(self._shard))
        self._shard, self._bytes = [], 0


class Dataset(Sequence[Example]):
    """The examples of a data set, the oldest first, with surrogates in place of pseudonyms; one shard is in memory."""

    def __init__(self, artifact: Artifact) -> None:
        self.artifact = artifact
        self._sizes: list[int] = list(artifact.facts.get("shards", []))
        kept = msgspec.json.decode(artifact.read(_KEPT), type=dict[str, str])
        self._surrogates = Surrogates(str(artifact.facts.get("seed", 0)), kept)
        self._open = -1
        self._lines: list[msgspec.Raw] = []

    def __len__(self) -> int:
        return sum(self._sizes)

    @overload
    def __getitem__(self, index: int) -> Example: ...
    @overload
    def __getitem__(self, index: slice) -> list[Example]: ...
    def __getitem__(self, index: int | slice) -> Example | list[Example]:
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(len(self)))]
        place = index + len(self) if index < 0 else index
        if not 0 <= place < len(self):
            raise IndexError(f"example {index} of {len(self)}")
        return self._example(len(self) - 1 - place)

    def __iter__(self) -> Iterator[Example]:
        for place in range(len(self) - 1, -1, -1):
            yield self._example(place)

    def pseudonymised(self) -> Iterator[Example]:
        """The examples as they are kept, the oldest first."""
        for place in range(len(self) - 1, -1, -1):
            yield _decode(self._line(place))

    def _example(self, place: int) -> Example:
        return unveiled(_decode(self._line(place)), self._surrogates)

    def _line(self, place: int) -> msgspec.Raw:
        """One example as JSON; places count from the newest."""
        for number, size in enumerate(self._sizes):
            if place < size:
                self._load(number)
                return self._lines[place]
            place -= size
        raise IndexError(f"no example {place} in {self.artifact.path}")

    def _load(self, number: int) -> None:
        if number == self._open:
            return
        packed = self.artifact.read(f"examples-{number:05d}")
        try:
            data = zstandard.ZstdDecompressor().decompress(packed, max_output_size=_LARGEST_SHARD)
            self._lines = _decode_all(data)
        except (zstandard.ZstdError, msgspec.MsgspecError) as error:
            raise ArtifactError(f"data set {str(self.artifact.path)!r} is damaged: {error}") from error
        self._open = number
