"""The configuration file as its owner sees it: read, checked, tried and written, never half."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from config.load import Configuration, from_text
from config.problem import ConfigError, Problem
from proxy.errors import Refusal
from router.decision import Query

LARGEST_FILE: Final = 1024 * 1024
"""Bytes of a configuration file that are taken."""


Backtest = Callable[[str, str], dict[str, Any]]
"""Takes a valid text and a window; what it says is what `understudy rules backtest --json` prints."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """The file as it stands."""

    path: str | None
    """None when the defaults hold because there is no file."""
    text: str
    file_version: str
    """Tells whether the file changed since it was read; not the version in force."""
    version: str
    """Version in force in the worker that answers."""
    editable: bool


class RulesDesk:
    """Reads, checks and writes the file of one configuration; methods may be called from any thread."""

    def __init__(
        self, current: Callable[[], Configuration], environ: Mapping[str, str], backtest: Backtest
    ) -> None:
        self._current = current
        self._environ = environ
        self._backtest = backtest

    def sheet(self) -> Sheet:
        """The file as it stands; raises Refusal when it cannot be read."""
        current = self._current()
        if current.path is None:
            return Sheet(None, "", "", current.version, editable=False)
        text = _read(current.path)
        return Sheet(
            str(current.path), text, _digest(text), current.version, os.access(current.path.parent, os.W_OK)
        )

    def configuration(self, text: str) -> Configuration:
        """What a text would put in force; raises ConfigError with every problem."""
        current = self._current()
        if len(text) > LARGEST_FILE:
            raise ConfigError([Problem("", 0, 0, "", "", f"has more than {LARGEST_FILE} characters")])
        return from_text(
            text.encode(),
            self._environ,
            path=current.path or Path("understudy.yaml"),
            learned=current.router.learned,
        )

    def check(self, text: str) -> dict[str, Any]:
        """Whether a text is valid, or every problem it has."""
        try:
            checked = self.configuration(text)
        except ConfigError as error:
            return problems(error)
        return {"valid": True, "version": checked.version, "rules": len(checked.settings.rules)}

    def backtest(self, text: str, window: str) -> dict[str, Any]:
        """What a text would have done to the calls of a window, or every problem it has; raises Refusal."""
        checked = self.check(text)
        return self._backtest(text, window) if checked["valid"] else checked

    def explain(self, query: Query) -> dict[str, Any]:
        """Which rule takes a call now, and why."""
        return asdict(self._current().router.explain(query))

    def apply(self, text: str, file_version: str) -> dict[str, Any]:
        """Write a valid text in one step; the watcher of every worker then takes it.

        Raises Refusal when there is no file, it cannot be written, or it is not the one that was read."""
        try:
            self.configuration(text)
        except ConfigError as error:
            return problems(error)
        path = self._current().path
        if path is None:
            raise Refusal(409, "There is no file to write: the defaults are in force.", code="no_file")
        if _digest(_read(path)) != file_version:
            message = f"{path} was changed since it was read here; load it again."
            raise Refusal(409, message, code="file_changed")
        _write(path, text)
        return asdict(self.sheet()) | {"valid": True}


def problems(error: ConfigError) -> dict[str, Any]:
    """Every problem of a text as plain data."""
    told = [asdict(problem) | {"text": str(problem)} for problem in error.problems]
    return {"valid": False, "problems": told}


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise Refusal(
            500, f"{path} cannot be read: {reason}", kind="proxy_error", code="file_unreadable"
        ) from None


def _write(path: Path, text: str) -> None:
    """Replace the file in one step, links kept, so that no worker reads half of it."""
    target = path.resolve()
    try:
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=target.parent, delete=False) as draft:
            draft.write(text)
            draft.flush()
            os.fsync(draft.fileno())
        os.chmod(draft.name, target.stat().st_mode & 0o777)
        os.replace(draft.name, target)
    except OSError as error:
        raise Refusal(
            500, f"{path} cannot be written: {error.strerror}", kind="proxy_error", code="file_unwritable"
        ) from None
