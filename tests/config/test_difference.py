"""What is said of a changed configuration."""

from __future__ import annotations

from typing import Any

import pytest

from config.difference import difference
from config.settings import Settings

_LABELS = {"name": "labels", "when": {"task": "a"}, "route": "upstream"}
_PLANS = {"name": "plans", "route": "upstream"}


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ({}, {}, "nothing that matters"),
        ({}, {"rules": [_LABELS]}, "rule 'labels' added"),
        ({"rules": [_LABELS, _PLANS]}, {"rules": [_PLANS]}, "rule 'labels' removed"),
        ({"rules": [_LABELS]}, {"rules": [_LABELS | {"share": 0.5}]}, "rule 'labels' changed"),
        ({"rules": [_LABELS, _PLANS]}, {"rules": [_PLANS, _LABELS]}, "rules in another order"),
        (
            {"prices": {"m": {"input": 1, "output": 2}}},
            {"rules": [_PLANS], "defaults": {"audit": 0.5}},
            "rule 'plans' added, prices changed, defaults changed",
        ),
    ],
)
def test_names_are_told_and_no_values(before: dict[str, Any], after: dict[str, Any], told: str) -> None:
    settings = [Settings.model_validate(each | {"version": 1}) for each in (before, after)]
    assert difference(*settings) == told
