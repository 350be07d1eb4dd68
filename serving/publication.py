"""What is deployed, as one file: written by the gatekeeper, read by workers, head servers and engines' placement.

Workers never ask the database what is deployed; they read this file again whenever it changes. It is signed with a key
of the key ring: whoever could write it unsigned could have any folder loaded as a model.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec

from router.gate.scorers.by_kind import Kind
from router.gate.states import State
from store.errors import SealError
from store.keyring import KeyRing
from store.signature import Signature, sign, verify
from store.whole_file import replace_file

FILE_NAME: Final = "published.json"
"""Its name in the folder `learned` of the state directory."""

_SIGNING: Final = b"publication"

HEADS: Final = "heads"
"""Name of the embedded engine of classification heads, where the configuration names no other."""


class Deployment(msgspec.Struct, frozen=True):
    """One (task, understudy) pair."""

    understudy: str
    """Name as rules, records and headers have it, such as `ticket-label@3`."""
    task: str
    kind: Kind
    state: State
    engine: str
    """Name of the engine in the configuration, or HEADS."""
    model: str
    """Its name on the engine."""
    files: str
    """Folder of its artifact: a head, an adapter or a whole model."""
    share: float
    """Of sessions that it answers, by the gate: 0 until the canary."""
    threshold: float = 0.0
    """It answers when its confidence is at least this."""
    agreement: float = 0.0
    """Lower bound of its agreement with the LLM, as certified."""
    confidence: float = 0.0
    """Confidence with which that was shown."""


class Publication(msgspec.Struct, frozen=True):
    """Everything that is deployed."""

    version: str = ""
    router: str = ""
    """Path of the recogniser's artifact; empty while there is none."""
    deployments: tuple[Deployment, ...] = ()


class PublicationError(Exception):
    """The file cannot be read or written, or is not to be trusted; the message names it and why."""


class _Envelope(msgspec.Struct):
    key: str
    signature: str
    publication: msgspec.Raw


def publish(path: Path, publication: Publication, ring: KeyRing) -> bool:
    """Replace the file as a whole; returns whether anything changed. Raises PublicationError, the old one stays then."""
    body = msgspec.json.encode(publication)
    signature = sign(ring, _SIGNING, body)
    envelope = _Envelope(signature.key, signature.code, msgspec.Raw(body))
    try:
        return replace_file(path, msgspec.json.encode(envelope))
    except OSError as error:
        raise PublicationError(f"cannot write {str(path)!r}: {error.strerror}") from error


def read_publication(path: Path, ring: KeyRing) -> Publication:
    """What is deployed; nothing where there is no file. Raises PublicationError for one that is damaged or not ours."""
    try:
        envelope = msgspec.json.decode(path.read_bytes(), type=_Envelope)
        body = bytes(envelope.publication)
        verify(ring, _SIGNING, body, Signature(envelope.key, envelope.signature))
        return msgspec.json.decode(body, type=Publication)
    except FileNotFoundError:
        return Publication()
    except OSError as error:
        raise PublicationError(f"cannot read {str(path)!r}: {error.strerror}") from error
    except (SealError, msgspec.MsgspecError) as error:
        raise PublicationError(f"{str(path)!r} is not to be trusted: {error}") from error
