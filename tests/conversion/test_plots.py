"""The plots of a report: drawn where matplotlib is installed, and done without where it is not."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec
import pytest

from conversion.cluster.landscape import landscape
from conversion.findings import Clustered, Evaluated, Judged
from conversion.report import MARKDOWN, Report, write
from conversion.selection.trial import Counts, Trial
from conversion.task import Task
from tests.conversion.selection.conftest import example

PLOTS = ("tasks.png", "agreement.png", "coverage-and-agreement.png")


def _report() -> Report:
    examples = [example(number) for number in range(90)]
    tasks = [
        Task("desk/label", "label", "label", 60, 0.6, ("a", "b")),
        Task("desk/plan", "plan", "text", 30, 0.3),
    ]
    members = {"desk/label": list(range(60)), "desk/plan": list(range(60, 85))}
    clustered = Clustered("router", "1", tasks, members, 5, {}, list(landscape(examples)))
    counts = Counts("heads/x", held_out=100, answered=90, agreed=88, curve=((0.0, 100, 95), (0.5, 90, 88)))
    trial = Trial.of(
        counts, target=0.95, confidence=0.95, candidates=2, dollars_per_million=1.0, servable=True, share=0.98
    )
    judged = Judged("desk/label", 0.95, 0.95, [trial], "close")
    return Report("run", clustered=clustered, evaluated=Evaluated([judged]))


def test_the_three_plots_are_drawn_and_shown(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="plots need matplotlib: pip install 'understudy[convert]'")
    write(_report(), tmp_path)
    text = (tmp_path / MARKDOWN).read_text()
    for name in PLOTS:
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")
        assert f"({name})" in text


def test_without_matplotlib_the_report_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    write(_report(), tmp_path)
    assert not list(tmp_path.glob("*.png"))
    assert "pip install 'understudy[convert]'" in (tmp_path / MARKDOWN).read_text()


def test_calls_that_are_alike_lie_together() -> None:
    plan = {"messages": [{"role": "system", "content": "Write a plan."}, {"role": "user", "content": "How?"}]}
    examples = [example(number, **({"request": plan} if number % 2 else {})) for number in range(40)]
    found = landscape(examples)
    assert found == landscape(examples)
    xs = {place: x for place, x, _ in found}
    labels, plans = ([x for place, x in xs.items() if place % 2 == side] for side in (0, 1))
    assert max(labels) < min(plans) or max(plans) < min(labels)


@pytest.mark.parametrize("many", [0, 1, 2, 1500])
def test_any_number_of_calls_has_a_map(many: int) -> None:
    found = landscape([example(number) for number in range(many)])
    assert min(many, 2) <= len(found) <= 600
    assert msgspec.json.decode(msgspec.json.encode(found), type=list[tuple[int, float, float]]) == list(found)
