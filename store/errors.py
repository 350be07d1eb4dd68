"""What can go wrong in the store.

StoreError
├── KeyringError    the master keys cannot be read, made or trusted
├── SealError       sealed bytes cannot be opened
│   ├── KeyMissing      the key that sealed them is not in the ring
│   ├── Tampered        they are not what was sealed
│   └── UnknownVersion  a newer version of this program wrote them
├── ArtifactError   an artifact is missing, incomplete, changed, or cannot be written
├── JournalError    the journal directory cannot be used
├── ShipperBusy     another shipper works on the same journal
├── Outdated        what was to be changed was changed by somebody else in the meantime
├── DatabaseError   the database, or its URL, cannot be used as it is
│   └── DatabaseAway    it cannot be reached now
└── SinkError       the database did not take a batch
    ├── SinkAway        it cannot be reached; the same batch will do later
    └── SinkRefused     it can never take one of these records
"""

from __future__ import annotations


class StoreError(Exception):
    """Root of everything that the store raises."""


class KeyringError(StoreError):
    """The master keys cannot be read, made or trusted."""


class SealError(StoreError):
    """Sealed bytes cannot be opened."""


class KeyMissing(SealError):
    """The key that sealed these bytes is not in the ring."""


class Tampered(SealError):
    """The bytes are not what was sealed."""


class UnknownVersion(SealError):
    """A newer version of this program wrote these bytes."""


class ArtifactError(StoreError):
    """An artifact is missing, incomplete, was changed, or cannot be written."""


class JournalError(StoreError):
    """The journal directory cannot be used."""


class ShipperBusy(StoreError):
    """Another shipper works on the same journal."""


class Outdated(StoreError):
    """What was to be changed was changed by somebody else in the meantime; read it again."""


class DatabaseError(StoreError):
    """The database, or its URL, cannot be used as it is."""


class DatabaseAway(DatabaseError):
    """The database cannot be reached now."""


class SinkError(StoreError):
    """The database did not take a batch."""


class SinkAway(SinkError):
    """The database cannot be reached now; the same batch will do later."""


class SinkRefused(SinkError):
    """The database can never take one of these records."""
