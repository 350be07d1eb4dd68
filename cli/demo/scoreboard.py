"""What the proxy says while the demonstration runs, as a live view in the terminal."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final

import httpx2
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from cli.demo.stage import Stage

_REFRESH_SECONDS: Final = 1.0
_STYLES: Final = {"live": "green", "demoted": "red", "observe": "dim"}


class Scoreboard:
    """Shows rate, dollars, and tasks with their understudies; `act` says what happens at the moment."""

    def __init__(self, stage: Stage, console: Console) -> None:
        self._stage = stage
        self._console = console
        self._act = ""

    def act(self, told: str) -> None:
        """Begin another act."""
        self._act = told
        self._console.print(f"[bold]{told}[/]", highlight=False)

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Show the view at once, and keep it up to date while the block lasts."""
        ended = threading.Event()
        with Live(console=self._console, auto_refresh=False, transient=not self._console.is_terminal) as live:
            drawing = threading.Thread(target=self._draw, args=(live, ended), daemon=True)
            drawing.start()
            try:
                yield
            finally:
                ended.set()
                drawing.join()

    def _draw(self, live: Live, ended: threading.Event) -> None:
        last = False
        while True:
            with suppress(httpx2.HTTPError):  # the next look may find it again; the work says what is wrong
                live.update(self._view(), refresh=True)
            if last:
                return
            last = ended.wait(_REFRESH_SECONDS)

    def _view(self) -> RenderableType:
        title = self._act.split(":")[0]  # of the act that is on now: the answers below take a while
        stats = self._stage.ask("/stats", window="1h")
        rate = (stats["replacement_rate"] or {}).get("calls") or 0.0
        summary = Text.assemble(
            ("replacement rate ", "bold"),
            (f"{rate:.1%}", "bold cyan"),
            f"   {stats['replaced'] or 0:,} of {stats['routable'] or 0:,} calls",
            f"   spent ${stats['cost'] or 0:.4f}, avoided ${stats['cost_avoided'] or 0:.4f}",
        )
        tasks = task_table(self._stage.ask("/tasks", window="1h")["tasks"])
        dashboard = Text(f"{self._stage.proxy.url}/dashboard", style="dim")
        return Panel(
            Group(summary, Padding(ProgressBar(total=1, completed=rate), (0, 0, 1, 0)), tasks, dashboard),
            title=title,
        )


def task_table(tasks: Sequence[Mapping[str, Any]]) -> Table:
    """Tasks with share, state, agreement and rate."""
    table = Table("task", "answers", "share", "state", "agreement", "replaced", box=None, pad_edge=False)
    for task in tasks:
        agreement = task["agreement"]
        told = f"≥ {agreement['lower']:.3f} ({agreement['pairs']} pairs)" if agreement else "-"
        state = Text(task["state"], style=_STYLES.get(task["state"], "yellow"))
        table.add_row(
            Text(task["id"]),
            task["kind"],
            f"{task['share']:.1%}",
            state,
            told,
            _rate(task["replacement_rate"]),
        )
    return table


def _rate(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"
