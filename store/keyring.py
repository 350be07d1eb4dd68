"""Master keys: where they come from, and what is derived from them.

Keys are AES-256 keys written in base64, the active one first. They come from the environment variable UNDERSTUDY_KEY
(comma separated) or else from a key file (one a line), which is made on first start. What was sealed with an older
key names it by its id, so keys can be rotated while old segments and contents stay readable.
"""

from __future__ import annotations

import base64
import binascii
import fcntl
import hashlib
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NoReturn

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from store.errors import KeyMissing, KeyringError, Tampered

VARIABLE: Final = "UNDERSTUDY_KEY"
KEY_BYTES: Final = 32
KEY_ID_BYTES: Final = 4
NONCE_BYTES: Final = 12
TAG_BYTES: Final = 16

JOURNAL: Final = b"journal"
CONTENT: Final = b"content"
DIGEST: Final = b"digest"


class MasterKey:
    """One 32-byte key and its id; shows only the id, and cannot be pickled."""

    __slots__ = ("_secret", "id")

    def __init__(self, secret: bytes) -> None:
        if len(secret) != KEY_BYTES:
            raise KeyringError(f"a master key has {KEY_BYTES} bytes, not {len(secret)}")
        self._secret = secret
        self.id = hashlib.sha256(b"understudy/key-id\0" + secret).digest()[:KEY_ID_BYTES]

    @classmethod
    def generate(cls) -> MasterKey:
        """Make a new random key."""
        return cls(os.urandom(KEY_BYTES))

    def derive(self, purpose: bytes, salt: bytes = b"") -> bytes:
        """Derive the 32-byte sub-key for a purpose (HKDF-SHA256, RFC 5869)."""
        hkdf = HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=salt or None, info=b"understudy/" + purpose)
        return hkdf.derive(self._secret)

    def export(self) -> str:
        """Write the key itself in base64, for a key file or a secret store; never for a log."""
        return base64.b64encode(self._secret).decode("ascii")

    def __repr__(self) -> str:
        return f"MasterKey(id={self.id.hex()})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a MasterKey cannot be pickled; load the key ring in each process instead")


class KeyRing:
    """The known master keys: the first is active, all can open what they sealed."""

    def __init__(self, keys: Sequence[MasterKey], *, path: Path | None = None) -> None:
        if not keys:
            raise KeyringError("a key ring needs at least one key")
        self._keys = tuple(keys)
        self._path = path

    @classmethod
    def load(cls, path: Path, environ: Mapping[str, str]) -> KeyRing:
        """Take the keys from UNDERSTUDY_KEY if it is set, else from the key file, which is made when absent.

        Raises KeyringError, which names the place and the remedy and never a key.
        """
        if text := environ.get(VARIABLE):
            return cls(_parse(text.split(","), f"the environment variable {VARIABLE}"))
        if not os.path.exists(
            path
        ):  # unlike Path.exists, this is False rather than an error below a closed directory
            _create(path)
        return cls(_read(path), path=path)

    @property
    def active(self) -> MasterKey:
        """The key that seals from now on."""
        return self._keys[0]

    @property
    def ids(self) -> tuple[bytes, ...]:
        """Ids of all keys, the active one first."""
        return tuple(key.id for key in self._keys)

    def by_id(self, key_id: bytes) -> MasterKey:
        """Find a key; raises KeyMissing. Reads the key file again before giving up."""
        key = self._find(key_id)
        if key is None and self.refresh():
            key = self._find(key_id)
        if key is None:
            place = self._path or f"the environment variable {VARIABLE}"
            raise KeyMissing(f"no key {key_id.hex()} in {place}; add the key that was in use then")
        return key

    def refresh(self) -> bool:
        """Take over what another process wrote to the key file; returns whether anything changed.

        Keys that are known already stay known when the file cannot be read.
        """
        if self._path is None:
            return False
        try:
            keys = _read(self._path)
        except KeyringError:
            return False
        changed = tuple(key.id for key in keys) != self.ids
        self._keys = tuple(keys)
        return changed

    def rotate(self) -> MasterKey:
        """Make a new active key in the key file; older keys stay for reading.

        Running processes use it from their next refresh (a journal refreshes with every new segment).
        Raises KeyringError when the keys come from the environment.
        """
        if self._path is None:
            raise KeyringError(
                f"keys from {VARIABLE} are rotated there: put a new key in front, with a comma"
            )
        with _locked(self._path.parent):
            keys = [MasterKey.generate(), *_read(self._path)]
            _write(self._path, keys)
        self._keys = tuple(keys)
        return keys[0]

    def _find(self, key_id: bytes) -> MasterKey | None:
        return next((key for key in self._keys if key.id == key_id), None)

    def __repr__(self) -> str:
        return f"KeyRing({', '.join(key_id.hex() for key_id in self.ids)})"


class Sealer:
    """Seals payloads: key id (4 bytes), nonce (12), AES-256-GCM ciphertext and tag."""

    def __init__(self, ring: KeyRing, purpose: bytes = CONTENT) -> None:
        self._ring = ring
        self._purpose = purpose
        self._ciphers: dict[bytes, AESGCM] = {}

    def seal(self, plain: bytes, aad: bytes = b"") -> bytes:
        """Encrypt with the active key; `aad` must be given again to open."""
        key = self._ring.active
        nonce = os.urandom(NONCE_BYTES)
        return key.id + nonce + self._cipher(key).encrypt(nonce, plain, aad)

    def open(self, sealed: bytes, aad: bytes = b"") -> bytes:
        """Decrypt with the key that sealed; raises KeyMissing or Tampered."""
        if len(sealed) < KEY_ID_BYTES + NONCE_BYTES + TAG_BYTES:
            raise Tampered(f"{len(sealed)} bytes are too few for a sealed payload")
        key_id, nonce = sealed[:KEY_ID_BYTES], sealed[KEY_ID_BYTES : KEY_ID_BYTES + NONCE_BYTES]
        cipher = self._ciphers.get(key_id) or self._cipher(self._ring.by_id(key_id))
        try:
            return cipher.decrypt(nonce, sealed[KEY_ID_BYTES + NONCE_BYTES :], aad)
        except InvalidTag:
            raise Tampered(
                f"a payload sealed with key {key_id.hex()} was changed or belongs elsewhere"
            ) from None

    def _cipher(self, key: MasterKey) -> AESGCM:
        cipher = self._ciphers.get(key.id)
        if cipher is None:
            cipher = self._ciphers[key.id] = AESGCM(key.derive(self._purpose))
        return cipher

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Sealer cannot be pickled; load the key ring in each process instead")


def _parse(lines: Sequence[str], place: str) -> list[MasterKey]:
    """Read base64 keys; errors say which one and where, never what stands there."""
    keys: list[MasterKey] = []
    for number, line in enumerate(lines, 1):
        try:
            secret = base64.b64decode(line.strip().replace("-", "+").replace("_", "/"), validate=True)
        except (binascii.Error, ValueError):
            secret = b""
        if len(secret) != KEY_BYTES:
            raise KeyringError(
                f"key {number} of {len(lines)} in {place} is not {KEY_BYTES} bytes in base64; "
                "make one with `openssl rand -base64 32`"
            )
        keys.append(MasterKey(secret))
    return keys


def _read(path: Path) -> list[MasterKey]:
    """Read the key file, refusing one that others may read."""
    try:
        with path.open(encoding="ascii", errors="replace") as file:
            mode = os.fstat(file.fileno()).st_mode
            text = file.read()
    except OSError as error:
        raise KeyringError(f"cannot read the key file {str(path)!r}: {error.strerror}") from None
    if stat.S_IMODE(mode) & 0o077:
        raise KeyringError(
            f"the key file {str(path)!r} is open to other users (mode {stat.S_IMODE(mode):04o}); "
            f"run `chmod 600 {path}`, or give the key in {VARIABLE}"
        )
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    if not lines:
        raise KeyringError(
            f"the key file {str(path)!r} holds no key; restore it, or remove it to start with a new key"
        )
    return _parse(lines, f"the key file {str(path)!r}")


def _create(path: Path) -> None:
    """Make the key file with one key, unless another process was faster."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise KeyringError(f"cannot make the directory {str(path.parent)!r}: {error.strerror}") from None
    with _locked(path.parent):
        if not path.exists():
            _write(path, [MasterKey.generate()])


def _write(path: Path, keys: Sequence[MasterKey]) -> None:
    """Replace the key file as a whole, so that no reader ever sees half of it. The caller holds the lock."""
    fresh = path.with_name(path.name + ".new")
    try:
        fresh.unlink(missing_ok=True)
        fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(fd, "w", encoding="ascii") as file:
            file.write("# understudy master keys, the active one first; who has these can read the log\n")
            file.writelines(key.export() + "\n" for key in keys)
            file.flush()
            os.fsync(fd)
        fresh.replace(path)
        _sync_directory(path.parent)
    except OSError as error:
        raise KeyringError(f"cannot write the key file {str(path)!r}: {error.strerror}") from None


def _sync_directory(directory: Path) -> None:
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """Keep other processes from writing a key file in this directory."""
    try:
        fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise KeyringError(f"cannot open the directory {str(directory)!r}: {error.strerror}") from None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)
