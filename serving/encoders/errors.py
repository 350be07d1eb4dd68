"""What can be wrong with an encoder."""

from __future__ import annotations


class EncoderError(Exception):
    """An encoder is absent, damaged or another one than it should be; the message says what to do."""
