"""Progress of a conversion on a terminal: one line a step, and what is worth knowing between them."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from conversion.candidate import Progress as Tell


class TerminalListener:
    """Draws on standard error, so that what is printed can be piped (`conversion.surroundings.Listener`)."""

    def __init__(self, quiet: bool = False) -> None:
        self.notes: list[str] = []
        """What was noted, for the report."""
        console = Console(stderr=True, quiet=quiet)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self._progress = Progress(*columns, console=console, disable=quiet)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def step(self, about: str) -> Tell:
        """A bar for a step; its length is known once the step says so."""
        bar = self._progress.add_task(escape(about), total=None)

        def tell(done: int, total: int) -> None:
            self._progress.update(TaskID(bar), completed=done, total=total)

        return tell

    def note(self, sentence: str) -> None:
        """A line between the bars."""
        self.notes.append(sentence)
        self._progress.console.print(escape(sentence), highlight=False)
