"""The rules of one file against those of another, over the log of a window."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import Engine

from backtest.experience import Experiences
from backtest.logged import KEPT_HEADERS, Log
from backtest.replay import Counted, Progress, replay
from backtest.report import Report, report
from backtest.spread import spread
from config.load import Configuration
from router.learned import Learned
from store.contents import Seals
from store.prices import Price
from store.scan import Scan, Stretch
from store.tally import tallies


@dataclass(frozen=True, slots=True)
class Comparison:
    """What is compared: two configurations, over the same learned router."""

    today: Configuration
    other: Configuration
    learned: Learned | None = None
    """What recognises calls now; None leaves it to the tasks that stand in the log."""
    examples: int = 20
    """How many of the calls that move are named."""
    stretch: int = 20_000
    """Calls that a process reads at a time."""

    def count(self, engine: Engine, sealer: Seals, since: int | None, until: int | None) -> int:
        """How many calls there are to read; raises DatabaseAway."""
        return Scan(engine, sealer, since, until).count()

    def run(
        self,
        engine: Engine,
        sealer: Seals,
        since: int | None,
        until: int | None,
        progress: Progress,
        processes: int = 1,
    ) -> Report:
        """Decide every call of the window twice, by so many processes beside each other.

        Raises DatabaseAway, SealError for content whose key is missing, and ChildProcessError for a killed process."""
        scan = Scan(engine, sealer, since, until)
        today, other = (each.with_learned(self.learned).router for each in (self.today, self.other))

        def work(stretch: Stretch, progress: Progress) -> Counted:
            log = Log(scan.within(stretch))
            return replay(log, today, other, examples=self.examples, progress=progress)

        stretches = scan.stretches(self.stretch)
        engine.dispose()  # no connection is shared with the processes that begin now
        counted = spread(work, stretches, processes, progress)
        experiences = Experiences(counted.cells, tallies(engine), _prices(self.other))
        return report(counted, experiences, tuple(_unknown_headers((self.today, self.other))))


def _prices(configuration: Configuration) -> dict[str, Price]:
    return {
        name: Price.per_million(slm.price.model_dump())
        for name, slm in configuration.settings.slms.items()
        if slm.price is not None
    }


def _unknown_headers(configurations: Sequence[Configuration]) -> Iterator[str]:
    """Conditions that cannot be tested on the log."""
    for rule in (rule for each in configurations for rule in each.settings.rules):
        for key in rule.when:
            kind, _, name = key.partition(".")
            if kind == "header" and name.lower() not in KEPT_HEADERS:
                yield (
                    f"rule {rule.name!r} asks for the header {name!r}, which the log does not keep: its condition is "
                    "tested as if no call had it"
                )
