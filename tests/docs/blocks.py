"""Fenced code blocks of the documentation, and the commands in them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = (
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "benchmarks/README.md", "deploy/README.md")),
    *sorted((ROOT / "docs").glob("*.md")),
)
"""Everything that tells people what to type; decisions tell why, and when."""

_BLOCK = re.compile(r"^```(?P<language>\S*)(?P<options>[^\n]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_TITLE = re.compile(r'title="([^"]+)"')
_FENCE = re.compile(r"^\s*(?:```|~~~)", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """One fenced block; `title` is the file that the page says it is."""

    page: Path
    line: int
    language: str
    title: str
    text: str

    @property
    def place(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


@dataclass(frozen=True)
class Command:
    """What is typed at a prompt, and what the page shows as its output."""

    typed: str
    shown: tuple[str, ...] = ()


def blocks(page: Path) -> list[Block]:
    """The blocks of a page in order; fails for a fence that belongs to none, such as an indented one."""
    text = page.read_text(encoding="utf-8")
    found = []
    for match in _BLOCK.finditer(text):
        title = _TITLE.search(match["options"])
        line = text.count("\n", 0, match.start()) + 1
        found.append(Block(page, line, match["language"], title[1] if title else "", match["text"]))
    assert len(_FENCE.findall(text)) == 2 * len(found), (
        f"{page}: a fence that is not at the beginning of its line"
    )
    return found


def commands(block: Block) -> list[Command]:
    """The commands of a `console` block, which stand behind `$ `, or of a `sh` block, in which every line
    is one, or of a crontab."""
    lines = block.text.replace("\\\n", "").splitlines()
    if block.language == "sh":
        return [Command(line) for line in lines if line.strip()]
    if block.language == "crontab":
        return [Command(line.split(maxsplit=5)[5]) for line in lines]
    found: list[Command] = []
    for line in lines:
        if line.startswith("$ "):
            found.append(Command(line[2:]))
        elif line.strip():
            assert found, f"{block.place}: output before the first command"
            found[-1] = Command(found[-1].typed, (*found[-1].shown, line))
    return found
