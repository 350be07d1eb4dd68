"""Every page: it shows what the log holds, suits every size and theme, and axe finds nothing."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest
from playwright.sync_api import Page, expect

from tests.browser.site import SMALL_MODEL, Site

pytestmark = pytest.mark.browser

Visit = Callable[..., Page]
Violations = Callable[[Page], list[str]]

PAGES = {
    "overview": ("", "Replacement rate"),
    "tasks": ("/tasks", "Tasks"),
    "calls": ("/calls", "Calls"),
    "rules": ("/rules", "Rules"),
    "system": ("/system", "System"),
}
SCREENSHOTS = os.environ.get("UNDERSTUDY_SCREENSHOTS")
"""Folder for a picture of every page in every look; `make screenshots` names that of the documentation."""
LOOKS = {"wide": (1920, "light"), "narrow": (360, "light"), "dark": (1920, "dark")}


def _ready(page: Page, title: str) -> None:
    expect(page.get_by_role("heading", level=1)).to_have_text(title)
    expect(page.locator("#live")).to_have_text("live")
    expect(page.locator("main > div > *").first).to_be_visible()


@pytest.fixture
def worked(site: Site) -> Site:
    site.settled(site.work(4, seed=5))
    return site


def test_every_page_in_every_look(worked: Site, visit: Visit, violations: Violations) -> None:
    for look, (width, scheme) in LOOKS.items():
        for name, (path, title) in PAGES.items():
            page = visit(f"{worked.url}/dashboard{path}", width=width, scheme=scheme)
            _ready(page, title)
            assert violations(page) == [], f"{name} {look}"
            assert page.evaluate("document.documentElement.scrollWidth") <= width, f"{name} {look} overflows"
            if SCREENSHOTS:
                page.screenshot(path=Path(SCREENSHOTS) / f"{name}-{look}.png")
            page.close()


def test_the_overview_says_what_stats_say(worked: Site, visit: Visit) -> None:
    page = visit(f"{worked.url}/dashboard")
    _ready(page, "Replacement rate")
    stats = worked.stats()
    shown = page.locator(".tile.main")
    expect(shown).to_contain_text(f"{stats['replaced']} of {stats['routable']} routable calls")
    expect(page.locator("figure")).to_have_count(4)


def test_a_call_is_found_and_explained(worked: Site, visit: Visit, violations: Violations) -> None:
    page = visit(f"{worked.url}/dashboard/calls")
    page.get_by_label("route").select_option("slm")
    page.get_by_role("button", name="Search").click()
    expect(page.locator("tbody tr")).to_have_count(4)
    page.locator("tbody a").first.click()
    _ready(page, "Call")
    expect(page.locator("main")).to_contain_text(SMALL_MODEL)
    expect(page.locator("main")).to_contain_text("You classify support tickets")
    assert violations(page) == []


def test_what_models_write_is_never_markup(site: Site, visit: Visit) -> None:
    body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "<img src=x onerror=alert(1)>"}]}
    answer = httpx2.post(f"{site.url}/v1/chat/completions", json=body, timeout=30)
    site.settled(1)
    page = visit(f"{site.url}/dashboard/calls/{answer.headers['x-understudy-call-id']}")
    _ready(page, "Call")
    expect(page.locator("pre").first).to_contain_text("<img src=x onerror=alert(1)>")
    assert page.locator("main img").count() == 0


def test_everything_is_reached_by_keyboard(worked: Site, visit: Visit) -> None:
    page = visit(f"{worked.url}/dashboard")
    _ready(page, "Replacement rate")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to content"
    for _ in range(3):
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    _ready(page, "Tasks")
    assert page.evaluate("document.activeElement.tagName") == "H1"


def test_a_database_that_is_away_is_said(worked: Site, visit: Visit) -> None:
    page = visit(f"{worked.url}/dashboard/system")
    _ready(page, "System")
    expect(page.locator(".note.good")).to_have_text("Everything runs.")


def test_other_sites_may_not_change_or_read_anything(site: Site) -> None:
    change = {"text": "version: 1", "version": "x"}
    foreign = httpx2.put(
        f"{site.url}/rules", json=change, headers={"origin": "https://evil.example"}, timeout=30
    )
    assert foreign.status_code == 403
    assert foreign.json()["error"]["code"] == "origin"
    renamed = httpx2.get(f"{site.url}/rules", headers={"host": "evil.example"}, timeout=30)
    assert renamed.status_code == 403
    assert renamed.json()["error"]["code"] == "host"
    page = httpx2.get(f"{site.url}/dashboard", timeout=30)
    assert re.search(r"default-src 'none'", page.headers["content-security-policy"])
