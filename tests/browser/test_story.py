"""The whole story in a browser: an agent works, the rate climbs, a rule is edited, and the rate answers."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.site import SMALL_MODEL, Site, eventually

pytestmark = pytest.mark.browser


def test_a_rule_is_edited_and_the_rate_answers(site: Site, visit: Callable[..., Page]) -> None:
    overview = visit(f"{site.url}/dashboard")
    expect(overview.locator(".tile.main dd")).to_contain_text("0 of 0 routable calls")
    calls = site.work(3, seed=1)
    expect(overview.locator(".tile.main dd")).to_contain_text(f"3 of {calls} routable calls", timeout=20_000)

    rules = visit(f"{site.url}/dashboard/rules")
    text = rules.get_by_label("understudy.yaml")
    before = text.input_value()
    text.fill(before.replace("route: upstream", "route: nobody-0.6b"))
    rules.get_by_role("button", name="Check").click()
    expect(rules.locator("#verdict")).to_contain_text("nobody-0.6b")
    rules.get_by_role("button", name="Apply").click()
    expect(rules.locator("#verdict")).to_contain_text("Not valid; nothing was changed.")
    assert site.configuration.read_text() == before

    text.fill(before.replace("route: upstream", f"route: {SMALL_MODEL}"))
    rules.get_by_role("button", name="Try it on the log").click()
    expect(rules.locator("#verdict .tile.main")).to_contain_text(f"{6 / calls:.1%}", timeout=60_000)
    expect(rules.locator("#verdict .tile.main")).to_contain_text(f"today {3 / calls:.1%}")
    moved = rules.get_by_role("region", name="The latest calls that would move")
    expect(moved).to_contain_text(f"{SMALL_MODEL}urgency: the rule names this small model")
    rules.get_by_role("button", name="Apply").click()
    expect(rules.locator("#verdict")).to_contain_text("Written")
    version = site.stats()["config"]
    eventually(lambda: site.stats()["config"] != version, "the new version")

    more = site.work(3, seed=2)
    shown = f"{3 + 3 * 2} of {calls + more} routable calls"
    expect(overview.locator(".tile.main dd")).to_contain_text(shown, timeout=20_000)
    changed = overview.get_by_role("region", name="new routers and configurations")
    expect(changed).to_contain_text("rule 'urgency' changed", timeout=20_000)
    expect(changed).to_contain_text("in force since the server was started")


def test_an_edit_of_a_file_that_changed_meanwhile_is_refused(site: Site, visit: Callable[..., Page]) -> None:
    rules = visit(f"{site.url}/dashboard/rules")
    text = rules.get_by_label("understudy.yaml")
    expect(text).to_have_value(site.configuration.read_text())
    site.configuration.write_text(site.configuration.read_text() + "# edited by hand\n")
    rules.get_by_role("button", name="Apply").click()
    expect(rules.locator("#verdict")).to_contain_text("was changed since it was read")
    assert site.configuration.read_text().endswith("# edited by hand\n")
