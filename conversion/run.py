"""One run of the conversion on disk: what each step found, so that a killed run goes on where it stopped."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from store.whole_file import replace_file

_FINISHED: Final = "finished"
_KEPT: Final = 5
"""Runs whose results are kept; what they trained is in artifacts."""
_T = TypeVar("_T")


class ConversionError(Exception):
    """A conversion that cannot go on; the message names the cause and the remedy."""


class Run:
    """The folder of one run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def finished(self) -> bool:
        return (self.folder / _FINISHED).exists()

    def result(self, step: str, kind: type[_T]) -> _T | None:
        """What a step found; None when it has not been done, or its file cannot be read."""
        try:
            return msgspec.json.decode((self.folder / f"{step}.json").read_bytes(), type=kind)
        except (OSError, msgspec.MsgspecError):
            return None

    def keep(self, step: str, value: object) -> None:
        """Note what a step found; raises OSError."""
        replace_file(self.folder / f"{step}.json", msgspec.json.format(msgspec.json.encode(value), indent=1))

    def forget(self, step: str) -> None:
        """Have a step done again."""
        (self.folder / f"{step}.json").unlink(missing_ok=True)

    def workspace(self, *names: str) -> Path:
        """A folder to train in."""
        path = self.folder.joinpath("work", *(name.replace("/", "--") for name in names))
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        return path

    def reopen(self) -> None:
        """Something is done again: the run is not finished."""
        (self.folder / _FINISHED).unlink(missing_ok=True)

    def finish(self) -> None:
        """Everything is done: what was trained stands in artifacts, the rest can go."""
        replace_file(self.folder / _FINISHED, b"")
        shutil.rmtree(self.folder / "work", ignore_errors=True)


class Runs:
    """All runs below one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def latest(self) -> Run | None:
        """The newest run, finished or not."""
        names = sorted(path.name for path in self._folder.glob("2*") if path.is_dir())
        return Run(self._folder / names[-1]) if names else None

    def begin(self) -> Run:
        """A new run; older ones are removed but for the last few. Raises OSError."""
        moment = datetime.now(UTC)
        run = Run(self._folder / f"{moment:%Y%m%dT%H%M%S.%f}")
        run.folder.mkdir(mode=0o700, parents=True)
        for old in sorted(path for path in self._folder.glob("2*") if path.is_dir())[:-_KEPT]:
            shutil.rmtree(old, ignore_errors=True)
        return run


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Keep a second conversion out; raises ConversionError when one is at work."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConversionError(
                f"another conversion works in {str(folder)!r}; wait for it, or stop it and run this again"
            ) from None
        yield
    finally:
        os.close(descriptor)
