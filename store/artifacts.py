"""Artifacts: what training leaves behind, each a folder that never changes once it stands.

    FOLDER/KIND/NAME/VERSION/manifest.json      who it is, SHA-256 of every file, facts, signature
                            /…                  its files, some of them sealed

A version is written in a folder beside the others and renamed when it is whole, so a full disk or a killed process
leaves the previous version in force. What is not signed with a key of the ring is never loaded: a head or a router
that anybody else may have written could run code.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import logging
import os
import secrets
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Any, Final, Self

import msgspec

from store.errors import ArtifactError, SealError
from store.keyring import KeyRing, Sealer
from store.signature import Signature, sign, verify

log = logging.getLogger(__name__)

MANIFEST: Final = "manifest.json"
_SIGNING: Final = b"artifact"
_SEALING: Final = b"artifact-content"
_DRAFT: Final = ".draft-"
_CHUNK: Final = 1 << 20
_encode = msgspec.json.Encoder(order="deterministic").encode


class FileEntry(msgspec.Struct, frozen=True):
    """One file of an artifact."""

    sha256: str
    """Of the bytes on disk, hex."""
    sealed: bool = False


class Manifest(msgspec.Struct, frozen=True):
    """What the manifest file says; the signature covers everything else in it."""

    kind: str
    name: str
    version: str
    created: int
    files: dict[str, FileEntry]
    facts: dict[str, Any]
    key: str = ""
    signature: str = ""

    def signed_part(self) -> bytes:
        return _encode(msgspec.structs.replace(self, key="", signature=""))


@dataclass(frozen=True, slots=True)
class Artifact:
    """One version of one artifact, as it was verified."""

    path: Path
    kind: str
    name: str
    version: str
    """Later versions sort behind earlier ones."""
    created: int
    """Unix microseconds."""
    facts: Mapping[str, Any]
    """What its maker wrote down: counts, figures, names; no content."""
    _files: Mapping[str, FileEntry] = field(repr=False)
    _sealer: Sealer = field(repr=False, compare=False)

    @property
    def files(self) -> Sequence[str]:
        """Names of its files, relative to its folder."""
        return tuple(self._files)

    def read(self, file_name: str) -> bytes:
        """The content of a file, unsealed where it was sealed; raises ArtifactError."""
        entry = self._files.get(file_name)
        if entry is None:
            raise ArtifactError(f"artifact {str(self.path)!r} has no file {file_name!r}")
        path = self.path / file_name
        try:
            data = path.read_bytes()
        except OSError as error:
            raise ArtifactError(f"cannot read {str(path)!r}: {error.strerror}") from error
        if hashlib.sha256(data).hexdigest() != entry.sha256:
            raise ArtifactError(f"{str(path)!r} was changed since it was written; train it anew")
        if not entry.sealed:
            return data
        try:
            return self._sealer.open(data, _binding(self.kind, self.name, file_name))
        except SealError as error:
            raise ArtifactError(f"cannot open {str(path)!r}: {error}") from error


class ArtifactStore:
    """All artifacts below one folder."""

    def __init__(self, folder: Path, ring: KeyRing) -> None:
        self._folder = folder
        self._ring = ring
        self._sealer = Sealer(ring, _SEALING)

    def create(self, kind: str, name: str) -> Draft:
        """Begin a new version: a context manager, after which nothing remains unless it was committed."""
        return Draft(self._place(kind, name), kind, name, self._ring, self._sealer)

    def open(self, path: Path) -> Artifact:
        """Load a version and verify its signature and every file; raises ArtifactError, which names the culprit."""
        manifest = _read_manifest(path)
        try:
            verify(self._ring, _SIGNING, manifest.signed_part(), Signature(manifest.key, manifest.signature))
        except SealError as error:
            raise ArtifactError(f"artifact {str(path)!r} is not to be trusted: {error}") from error
        _check_files(path, manifest)
        return self._artifact(path, manifest)

    def list(self, kind: str, name: str | None = None) -> Sequence[Artifact]:
        """Versions of one artifact, or of all of a kind, newest first; broken ones are left out and logged."""
        place = self._folder / kind if name is None else self._place(kind, name)
        found = []
        for path in _standing(place):
            if name is not None and path.parent != place:
                continue
            try:
                found.append(self.open(path))
            except ArtifactError as error:
                log.error("%s", error)
        return sorted(found, key=lambda artifact: artifact.version, reverse=True)

    def remove(self, artifact: Artifact) -> None:
        """Delete a version: first its name, so that nobody finds half of it; raises ArtifactError."""
        doomed = artifact.path.with_name(f"{_DRAFT}{artifact.version}")
        try:
            artifact.path.rename(doomed)
        except OSError as error:
            raise ArtifactError(f"cannot remove {str(artifact.path)!r}: {error.strerror}") from error
        shutil.rmtree(doomed, ignore_errors=True)  # what is left goes with the next draft's beginning

    def remove_all(self, kind: str) -> int:
        """Delete every version of a kind, whole or broken or in the making; returns how many stood. Raises ArtifactError."""
        place = self._folder / kind
        standing = list(_standing(place))
        try:
            if place.exists():
                shutil.rmtree(place)
        except OSError as error:
            raise ArtifactError(f"cannot remove {str(place)!r}: {error.strerror}") from error
        return len(standing)

    def _artifact(self, path: Path, manifest: Manifest) -> Artifact:
        return Artifact(
            path,
            manifest.kind,
            manifest.name,
            manifest.version,
            manifest.created,
            manifest.facts,
            manifest.files,
            self._sealer,
        )

    def _place(self, kind: str, name: str) -> Path:
        for part in (kind, *(PurePosixPath(name).parts or ("",))):
            if part in ("", "/") or part.startswith("."):
                raise ArtifactError(
                    f"{kind!r}/{name!r} cannot name an artifact; use letters, digits, - and /"
                )
        return self._folder / kind / name


class Draft:
    """A version in the making: put files into `folder`, or call write(), then commit()."""

    def __init__(self, place: Path, kind: str, name: str, ring: KeyRing, sealer: Sealer) -> None:
        self.folder = place / f"{_DRAFT}{secrets.token_hex(6)}"
        self._place = place
        self._kind = kind
        self._name = name
        self._ring = ring
        self._sealer = sealer
        self._sealed: set[str] = set()
        self._lock = -1

    def __enter__(self) -> Self:
        try:
            self._place.mkdir(mode=0o700, parents=True, exist_ok=True)
            with _locked(
                self._place
            ):  # else another maker could take this draft for abandoned before it is locked
                _remove_abandoned(self._place)
                self.folder.mkdir(mode=0o700)
                self._lock = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
                fcntl.flock(self._lock, fcntl.LOCK_EX)
        except OSError as error:
            raise ArtifactError(f"cannot begin {str(self.folder)!r}: {error.strerror}") from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._lock)
        shutil.rmtree(self.folder, ignore_errors=True)

    def write(self, file_name: str, data: bytes, sealed: bool = False) -> None:
        """Add a file; raises ArtifactError, as when the disk is full."""
        path = self.folder / file_name
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            if sealed:
                data = self._sealer.seal(data, _binding(self._kind, self._name, file_name))
                self._sealed.add(file_name)
            path.write_bytes(data)
        except OSError as error:
            raise ArtifactError(f"cannot write {str(path)!r}: {error.strerror}") from error

    def commit(self, facts: Mapping[str, Any]) -> Artifact:
        """Make it the newest version; raises ArtifactError, and then nothing has changed."""
        now = time.time_ns() // 1000
        moment = datetime.fromtimestamp(now / 1e6, UTC)
        version = f"{moment:%Y%m%dT%H%M%S}{now % 1_000_000:06d}-{secrets.token_hex(2)}"
        path = self._place / version
        try:
            files = {
                name: FileEntry(_digest(self.folder / name), name in self._sealed)
                for name in _names(self.folder)
            }
            manifest = Manifest(self._kind, self._name, version, now, files, dict(facts))
            signature = sign(self._ring, _SIGNING, manifest.signed_part())
            manifest = msgspec.structs.replace(manifest, key=signature.key, signature=signature.code)
            (self.folder / MANIFEST).write_bytes(msgspec.json.format(_encode(manifest), indent=1))
            _sync(self.folder)
            self.folder.rename(path)
            _sync_one(self._place)
        except OSError as error:
            raise ArtifactError(f"cannot write {str(self.folder)!r}: {error.strerror}") from error
        kept = msgspec.json.decode(_encode(manifest), type=Manifest)  # facts as the next reader has them
        return Artifact(path, self._kind, self._name, version, now, kept.facts, kept.files, self._sealer)


def _binding(kind: str, name: str, file_name: str) -> bytes:
    return f"{kind}/{name}/{file_name}".encode()


def _read_manifest(path: Path) -> Manifest:
    place = path / MANIFEST
    try:
        return msgspec.json.decode(place.read_bytes(), type=Manifest)
    except FileNotFoundError:
        raise ArtifactError(f"there is no artifact at {str(path)!r}: it has no {MANIFEST}") from None
    except OSError as error:
        raise ArtifactError(f"cannot read {str(place)!r}: {error.strerror}") from error
    except msgspec.MsgspecError as error:
        raise ArtifactError(f"{str(place)!r} is damaged: {error}") from error


def _check_files(path: Path, manifest: Manifest) -> None:
    present = set(_names(path)) - {MANIFEST}
    for name in present.symmetric_difference(manifest.files):
        what = "is no part of the artifact" if name in present else "is missing"
        raise ArtifactError(f"{str(path / name)!r} {what}")
    for name, entry in manifest.files.items():
        try:
            digest = _digest(path / name)
        except OSError as error:
            raise ArtifactError(f"cannot read {str(path / name)!r}: {error.strerror}") from error
        if digest != entry.sha256:
            raise ArtifactError(f"{str(path / name)!r} was changed since it was written; train it anew")


def _standing(place: Path) -> Iterator[Path]:
    """Folders of whole versions, while others may come and go (a `Path.glob` fails on a folder that goes)."""
    for folder, below, files in os.walk(place):
        below[:] = [name for name in below if not name.startswith(_DRAFT)]
        if MANIFEST in files:
            yield Path(folder)


def _names(folder: Path) -> Iterator[str]:
    """Relative names of all files, in order; links are files too, so that nothing is hidden behind one."""
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() or not path.is_dir():
            yield path.relative_to(folder).as_posix()


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _sync(folder: Path) -> None:
    """Bring all files to the disk before their folder gets its name."""
    for path in (*folder.rglob("*"), folder):
        _sync_one(path)


def _sync_one(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _remove_abandoned(place: Path) -> None:
    """Delete drafts whose maker was killed: nobody holds their lock."""
    for folder in place.glob(f"{_DRAFT}*"):
        with contextlib.suppress(OSError):
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(descriptor)
