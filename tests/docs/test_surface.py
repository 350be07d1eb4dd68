"""What the proxy says and takes is in the documentation: commands, headers, statistics, metrics."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import pytest

from store.stats import Figures
from tests.docs.conftest import leaves, options

ROOT = Path(__file__).parents[2]
Page = Callable[[str], str]


@pytest.mark.parametrize("name", [name for name, _ in leaves()])
def test_every_command_and_option_is_described(name: str, page: Page) -> None:
    command = dict(leaves())[name]
    text = page("commands.md")
    assert f"## `{name}`" in text
    section = text.split(f"## `{name}`", 1)[1].split("\n## ", 1)[0]
    assert command.help.splitlines()[0] in section
    for option, explanation in options(command):
        assert f"`{option}`" in section, option
        assert explanation in section, option


def test_no_command_is_described_that_does_not_exist(page: Page) -> None:
    assert re.findall(r"^## `(.+)`$", page("commands.md"), re.MULTILINE) == [name for name, _ in leaves()]


def test_every_header_is_described(page: Page) -> None:
    sources = [*(ROOT / "proxy").rglob("*.py"), *(ROOT / "router").rglob("*.py")]
    names = {name for path in sources for name in re.findall(r"x-understudy-[a-z-]*[a-z]", path.read_text())}
    assert {"x-understudy-route", "x-understudy-overhead-ms", "x-understudy-store"} <= names
    missing = [name for name in sorted(names) if f"`{name}" not in page("quickstart.md")]
    assert not missing


def test_every_figure_is_described(page: Page) -> None:
    text = page("stats.md")
    assert not [field.name for field in fields(Figures) if f"`{field.name}`" not in text]


def test_every_metric_is_described(page: Page) -> None:
    source = (ROOT / "proxy" / "control" / "metrics.py").read_text()
    names = set(re.findall(r'"(understudy_[a-z_]+)"', source))
    assert len(names) > 10
    text = page("stats.md")
    assert not [name for name in sorted(names) if name not in text]


def test_links_between_pages_lead_somewhere() -> None:
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "deploy").glob("*.md")]
    broken = [
        f"{path.relative_to(ROOT)}: {target}"
        for path in pages
        for target in re.findall(r"\]\(([^)#\s]+)\)", path.read_text())
        if "://" not in target and not (path.parent / target).exists()
    ]
    assert not broken
