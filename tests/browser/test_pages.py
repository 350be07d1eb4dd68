"""Every page: it shows what the log holds, suits every size and theme, and axe finds nothing."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest
from playwright.sync_api import Page, expect

from tests.browser.site import SMALL_MODEL, Site, running_site
from tests.proxy.stored_tasks import LABEL

pytestmark = pytest.mark.browser

Visit = Callable[..., Page]
Violations = Callable[[Page], list[str]]

PAGES = {
    "overview": ("?window=7d", "Replacement rate"),
    "tasks": ("/tasks", "Tasks"),
    "task": (f"/tasks/{LABEL}", LABEL),
    "calls": ("/calls", "Calls"),
    "call": ("/calls/{call}", "Call"),
    "rules": ("/rules", "Rules"),
    "system": ("/system", "System"),
}
SCREENSHOTS = os.environ.get("UNDERSTUDY_SCREENSHOTS")
"""Folder for a picture of every page in every look; `make screenshots` names that of the documentation."""
LOOKS = {
    "wide": (1920, "light"),
    "narrow": (360, "light"),
    "dark": (1920, "dark"),
    "narrow-dark": (360, "dark"),
}
PICTURED = ("wide", "narrow", "dark")


def _ready(page: Page, title: str) -> None:
    expect(page.get_by_role("heading", level=1)).to_have_text(title)
    expect(page.locator("#live")).to_have_text("live")
    expect(page.locator("main > div > *").first).to_be_visible()


@pytest.fixture
def worked(site: Site) -> Site:
    """What an agent's work leaves behind."""
    site.settled(site.work(4, seed=5))
    return site


@pytest.fixture
def learned(worked: Site) -> Site:
    """The same with tasks that were found in it."""
    worked.learn()
    return worked


@pytest.fixture(scope="module")
def week(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, str]]:
    """A site with a week of calls in its log, and the id of one of them."""
    with running_site(tmp_path_factory.mktemp("week"), "defaults: {audit: 0%}\n") as site:
        yield site, site.remember()


@pytest.mark.parametrize("look", LOOKS)
def test_every_page_in_every_look(
    look: str, week: tuple[Site, str], visit: Visit, violations: Violations
) -> None:
    width, scheme = LOOKS[look]
    site, call = week
    for name, (path, title) in PAGES.items():
        page = visit(f"{site.url}/dashboard{path.format(call=call)}", width=width, scheme=scheme)
        _ready(page, title)
        if name == "rules":
            text = page.get_by_label("understudy.yaml")
            text.fill(text.input_value().replace("route: upstream", f"route: {SMALL_MODEL}"))
            page.get_by_role("button", name="Try it on the log").click()
            expect(page.locator("#verdict .tile.main")).to_be_visible(timeout=60_000)
        assert violations(page) == [], f"{name} {look}"
        assert page.evaluate("document.documentElement.scrollWidth") <= width, f"{name} {look} overflows"
        if SCREENSHOTS and look in PICTURED:
            _take(page, Path(SCREENSHOTS) / f"{name}-{look}.png", str(site.configuration.parent))
        page.close()


def _take(page: Page, file: Path, folder: str) -> None:
    """Take a picture, no longer than a page of paper, of the page as if it ran in some reader's folder."""
    page.evaluate(
        "folder => { for (const each of document.querySelectorAll('p.quiet'))"
        " each.textContent = each.textContent.replace(folder, '/srv/understudy'); }",
        folder,
    )
    height = min(page.evaluate("document.documentElement.scrollHeight"), 1200)
    page.set_viewport_size({"width": page.viewport_size["width"], "height": height})  # type: ignore[index]
    page.screenshot(path=file)


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


def test_calls_are_found_by_what_was_said_and_when(
    worked: Site, visit: Visit, violations: Violations
) -> None:
    page = visit(f"{worked.url}/dashboard/calls")
    _ready(page, "Calls")
    page.get_by_label("what was said").fill("YOU CLASSIFY support tickets")
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_text("calls were looked through")).to_be_visible()
    expect(page.locator("tbody tr")).to_have_count(4)
    assert violations(page) == []
    page.get_by_label("what was said").fill("")
    page.get_by_label("until").fill("2020-01-01T00:00")
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_text("No call matches.")).to_be_visible()
    assert "text" not in page.url


def test_a_task_shows_its_evidence_and_both_answers(learned: Site, visit: Visit) -> None:
    page = visit(f"{learned.url}/dashboard/tasks")
    _ready(page, "Tasks")
    expect(page.get_by_role("row", name=LABEL)).to_contain_text(
        "at least 95.1% (target 95.0%); 66.7% of 3 pairs agreed"
    )
    page.get_by_role("link", name=LABEL, exact=True).click()
    _ready(page, LABEL)
    expect(page.locator("ol.trail li")).to_have_count(2)
    expect(page.locator("ol.trail")).to_contain_text("98 of 100 held-out calls agree")
    answers = page.get_by_label("Both answers, side by side").locator("xpath=./details")
    expect(answers).to_have_count(4)
    differing = answers.filter(has_text="differ ·").first
    expect(differing.locator("ins").first).to_be_visible()
    expect(differing.locator(".grid pre").last).to_have_text("other side of 2")
    differing.get_by_text("What was asked").click()
    expect(differing).to_contain_text("Ticket")


def test_the_system_page_knows_engines_and_what_was_learned(learned: Site, visit: Visit) -> None:
    page = visit(f"{learned.url}/dashboard/system")
    _ready(page, "System")
    engines = page.get_by_role("region", name="Servers of small models")
    expect(engines.get_by_role("row", name="local")).to_contain_text("answers")
    expect(page.get_by_label("Learned router", exact=True)).to_contain_text("1 canary5", timeout=30_000)
    expect(page.get_by_label("Gatekeeper", exact=True)).to_contain_text("running")


def test_who_may_not_see_content_is_told_so(tmp_path: Path, visit: Visit, violations: Violations) -> None:
    with running_site(tmp_path, "auth: {mode: keys}\n") as site:
        viewer, agent = site.key("viewer"), site.key("agent")
        asked = httpx2.post(
            f"{site.url}/v1/chat/completions",
            json={"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "My secret parcel"}]},
            headers={"authorization": f"Bearer {agent}"},
            timeout=30,
        )
        call = asked.headers["x-understudy-call-id"]
        page = visit(f"{site.url}/dashboard")
        page.get_by_label("Proxy key with role viewer or higher").fill(viewer)
        page.get_by_role("button", name="Sign in").click()
        expect(page.locator(".tile.main dd")).to_contain_text("0 of 1 routable calls", timeout=20_000)
        page.get_by_role("link", name="Calls").click()
        expect(page.locator("tbody tr")).to_have_count(1)
        for path in (f"/calls/{call}", "/calls?text=parcel", "/rules"):
            page.evaluate(
                "path => { history.pushState(null, '', path); dispatchEvent(new PopStateEvent('popstate')); }",
                f"/dashboard{path}",
            )
            expect(page.locator("main")).to_contain_text("yours has 'viewer'")
            expect(page.locator("main")).not_to_contain_text("secret parcel")
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


def test_a_database_that_is_away_is_said(tmp_path: Path, visit: Visit, violations: Violations) -> None:
    nobody = 'store: {url: "postgresql+psycopg://nobody@127.0.0.1:1/nothing"}\n'
    with running_site(tmp_path, nobody) as site:
        assert site.work(1, seed=5) > 0
        for path in ("", "/system"):
            page = visit(f"{site.url}/dashboard{path}")
            expect(page.locator(".note").first).to_contain_text("The database is away", timeout=30_000)
            expect(page.locator(".note.good")).to_have_count(0)
            assert violations(page) == []


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
