"""A backtest by several processes says what one alone says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from backtest.cells import Cell
from backtest.comparison import Comparison
from backtest.replay import Counted, Progress
from backtest.spread import spread
from router.decision import Route
from store.errors import SealError
from store.scan import Labels, Stretch
from tests.backtest.conftest import START_US, Stored, chat, configured, record

TO_SMALL = {"name": "letters", "when": {"user": "*letter*"}, "route": "small", "share": 0.5}
LABELS = Labels("chat.completions", "upstream", "openai", "gpt-4o", "gpt-4o", "", "", "", "")


def _fill(stored: Stored) -> None:
    others = [chat(f"Report {number} that somebody wrote") for number in range(20)]
    stored.fill([record(number, session=f"s{number}") for number in range(40)])
    stored.fill([record(40 + number, body) for number, body in enumerate(others)])


@pytest.mark.parametrize("processes", [2, 3, 50])
@pytest.mark.parametrize("stretch", [7, 20, 1000])
def test_several_processes_count_what_one_counts(stored: Stored, processes: int, stretch: int) -> None:
    _fill(stored)
    comparison = Comparison(configured(), configured(TO_SMALL), examples=5)
    heard: list[int] = []
    alone = comparison.run(stored.engine, stored.sealer, None, None, lambda done: None)
    together = replace(comparison, stretch=stretch).run(
        stored.engine, stored.sealer, None, None, heard.append, processes
    )
    assert together == alone
    assert 0 < together.moved < 40
    assert max(heard) == 60


def test_which_process_was_first_does_not_tell() -> None:
    """Sums of fractions depend on their order, so what was counted has one of its own."""
    stays: tuple[Route, str, str, str] = ("upstream", "", "", "")
    found = {(series, False, stays, stays): Cell(LABELS) for series in range(3)}
    one, other = Counted(dict(list(found.items())[:2])), Counted(dict(list(found.items())[2:]))
    there, back = Counted(), Counted()
    for each, parts in ((there, (one, other)), (back, (other, one))):
        for part in parts:
            each.add(part)
    assert list(there.found) != list(back.found)
    assert list(there.cells) == list(back.cells)


def test_stretches_hold_every_call_once(stored: Stored) -> None:
    _fill(stored)
    scan = stored.scan()
    for size, pieces in ((7, 9), (30, 2), (60, 1), (100, 1)):
        stretches = scan.stretches(size)
        assert len(stretches) == pieces
        ids = [call.id for each in stretches for batch in scan.within(each).batches() for call in batch]
        assert ids == [call.id for batch in scan.batches() for call in batch]
    assert min(ids) == record(0).id
    assert record(0).started_us == START_US


def _refused(stretch: Stretch, progress: Progress) -> Counted:
    raise SealError("the content needs the key 'k2'")


def _ended(stretch: Stretch, progress: Progress) -> Counted:
    raise SystemExit(1)


@pytest.mark.parametrize(("work", "error"), [(_refused, SealError), (_ended, ChildProcessError)])
def test_what_goes_wrong_in_a_process_is_raised(work: object, error: type[Exception]) -> None:
    stretches: Sequence[Stretch] = [(b"a", b"b"), (b"b", b"c")]
    with pytest.raises(error):
        spread(work, stretches, 2, lambda done: None)  # type: ignore[arg-type]
