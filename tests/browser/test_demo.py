"""The whole story with the real demonstration: it starts, the rate climbs, a rule is edited, the rate answers, it ends."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest
from playwright.sync_api import Page, expect

from tests.browser.site import eventually
from tests.demonstration import Demonstration, demonstrated

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]

PATIENCE = 420.0
"""Seconds for what takes a minute or two on two cores of one's own: observing, converting, proving."""
RULE = "  - {name: nothing is replaced, when: {model: 'gpt-4o*'}, route: upstream}\n"


def _shown(page: Page) -> tuple[int, int]:
    """Replaced and routable calls, as the overview's largest figure says."""
    text = page.locator(".tile.main small").inner_text()
    replaced, routable = re.findall(r"[\d,]+", text)[:2]
    return int(replaced.replace(",", "")), int(routable.replace(",", ""))


def _after(page: Page, calls: int) -> tuple[int, int]:
    """What the overview shows once so many more calls are counted on it."""
    _, before = _shown(page)
    eventually(lambda: _shown(page)[1] >= before + calls, f"{calls} more calls on the overview", PATIENCE)
    return _shown(page)


def _standing(page: Page) -> int:
    """Replaced calls, once a hundred more calls have added nothing to them: those under way are counted first."""
    deadline = time.monotonic() + 90
    replaced, _ = _shown(page)
    while (now := _after(page, 100)[0]) != replaced:
        assert time.monotonic() < deadline, (
            "the rule sends every call to the LLM, and still some are replaced"
        )
        replaced = now
    return replaced


def _apply(rules: Page, url: str, text: str) -> None:
    version = httpx2.get(f"{url}/stats", timeout=30).json()["config"]["version"]
    rules.get_by_label("understudy.yaml").fill(text)
    rules.get_by_role("button", name="Apply").click()
    expect(rules.locator("#verdict")).to_contain_text("Written", timeout=30_000)
    eventually(
        lambda: httpx2.get(f"{url}/stats", timeout=30).json()["config"]["version"] not in (version, None),
        "the new version in force",
    )


def test_the_rate_climbs_and_a_rule_that_is_edited_moves_it(
    tmp_path: Path, visit: Callable[..., Page]
) -> None:
    with demonstrated(tmp_path, "--observed", "400", "--counted", "100000", "--patience", "600") as demo:
        url = demo.url()
        overview = visit(f"{url}/dashboard")
        expect(overview.locator(".tile.main dd")).to_contain_text("0.0%", timeout=60_000)
        _after(overview, 100)
        assert _shown(overview)[0] == 0
        eventually(lambda: _shown(overview)[0] > 20, "understudies answer: the rate climbs", PATIENCE)
        changed = overview.get_by_role("region", name="new routers and configurations")
        expect(changed).to_contain_text("shadow → canary5")

        rules = visit(f"{url}/dashboard/rules")
        text = rules.get_by_label("understudy.yaml")
        expect(text).to_have_value(demo.configuration.read_text())
        before = text.input_value()
        text.fill(before.replace("rules:\n", f"rules:\n{RULE}"))
        rules.get_by_role("button", name="Try it on the log").click()
        expect(rules.locator("#verdict .tile.main dd")).to_contain_text("0.0%", timeout=180_000)
        _apply(rules, url, text.input_value())
        replaced = _standing(overview)
        expect(changed).to_contain_text("rule 'nothing is replaced' added", timeout=20_000)

        _apply(rules, url, before)
        eventually(lambda: _shown(overview)[0] > replaced, "the rate climbs again", PATIENCE)
        assert "replacement rate" in demo.said
        _ends_clean(demo)


def _ends_clean(demo: Demonstration) -> None:
    """Ctrl-C ends it at once, without a traceback, and nothing of it runs on."""
    assert len(demo.processes()) >= 4
    assert demo.stop() == 130, demo.said[-2000:]
    assert "Traceback" not in demo.said
    assert demo.left_behind() == []
