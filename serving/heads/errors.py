"""What can be wrong with a head."""

from __future__ import annotations


class HeadError(Exception):
    """A head's files are damaged, or not those of a head; the message says which and what to do."""
