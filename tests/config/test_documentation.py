"""The settings' page and the settings are one: every setting has its line, every line its setting and true default."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
import yaml
from pydantic import create_model
from pydantic.fields import FieldInfo

from config.fields import section_in, walk
from router.limits import UNSUPPORTED
from router.when import KEYS

DOCS = Path(__file__).parents[2] / "docs"
ROW = re.compile(r"^\| `([^`]+)` \| (`[^`]+`|required) \| (.+) \|$", re.MULTILINE)
ROWS = {path: default for path, default, _ in ROW.findall((DOCS / "configuration.md").read_text())}
FIELDS = dict(walk())
BLOCKS = [
    pytest.param(block, id=f"{page.name}-{number}")
    for page in (DOCS / "configuration.md", DOCS / "rules.md")
    for number, block in enumerate(re.findall(r"```yaml\n(.*?)```", page.read_text(), re.DOTALL))
]


def is_setting(path: str) -> bool:
    """Whether a path is a value of its own and not a section, whose members have lines of their own."""
    return path == "slms.NAME.price" or section_in(FIELDS[path].annotation) is None


def default_of(held: FieldInfo) -> Any:
    return held.get_default(call_default_factory=True, validated_data={})


def test_every_setting_has_its_line_and_every_line_its_setting() -> None:
    assert list(ROWS) == [path for path in FIELDS if is_setting(path)]


@pytest.mark.parametrize("path", ROWS)
def test_the_documented_default_is_the_default(path: str) -> None:
    held = FIELDS[path]
    if held.is_required():
        assert ROWS[path] == "required"
        return
    written = yaml.safe_load(ROWS[path].strip("`"))
    one: type[Any] = create_model("One", value=(cast(Any, held.annotation), held))
    assert one.model_validate({"value": written}).value == default_of(held)


@pytest.mark.parametrize("block", BLOCKS)
def test_the_examples_are_valid(loaded: Callable[..., object], block: str) -> None:
    assert loaded(block)


def test_every_key_of_when_has_its_line() -> None:
    documented = re.findall(r"^\| `([\w.]+)` \| ", (DOCS / "rules.md").read_text(), re.MULTILINE)
    assert sorted(documented) == sorted([*KEYS, "header.NAME", "metadata.NAME"])


def test_every_parameter_that_pins_a_call_is_named() -> None:
    page = (DOCS / "rules.md").read_text()
    assert [name for names in UNSUPPORTED.values() for name in names if f"`{name}`" not in page] == ["audio"]
