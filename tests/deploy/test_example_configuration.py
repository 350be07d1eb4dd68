"""The example configuration is valid as it stands, in every place that it is meant for."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from config.load import load
from config.problem import ConfigError
from router.decision import Query


def unit(root: Path) -> dict[str, str]:
    """The unit's environment; %S is systemd's folder of states."""
    text = (root / "deploy/understudy.service").read_text().replace("%S", "/var/lib")
    return dict(pair.split("=", 1) for pair in re.findall(r"^Environment=(.*)$", text, re.MULTILINE))


def test_on_a_laptop(root: Path) -> None:
    settings = load(root / "deploy/understudy.yaml", {}).settings
    assert settings.server.host == "127.0.0.1"
    assert settings.auth.mode == "passthrough"
    assert settings.state_dir == root / "deploy" / ".understudy"


def test_in_compose(root: Path, container: dict[str, str]) -> None:
    settings = load(root / "deploy/understudy.yaml", container).settings
    assert (settings.server.host, settings.server.port) == ("0.0.0.0", 8400)
    assert settings.auth.mode == "keys"
    assert settings.store.url == "postgresql://understudy@postgres:5432/understudy"
    assert str(settings.state_dir) == "/var/lib/understudy"


def test_in_the_bare_image(root: Path, image: dict[str, str]) -> None:
    settings = load(root / "deploy/understudy.yaml", image).settings
    assert settings.store.url == "sqlite:////var/lib/understudy/understudy.db"
    assert image["UNDERSTUDY_CONFIG"] == "/etc/understudy/understudy.yaml"


def test_under_systemd(root: Path) -> None:
    settings = load(root / "deploy/understudy.yaml", unit(root)).settings
    assert settings.store.url == "sqlite:////var/lib/understudy/understudy.db"
    assert str(settings.state_dir) == "/var/lib/understudy"
    assert settings.server.drain == 30


def test_listening_wider_without_keys_is_refused(root: Path) -> None:
    with pytest.raises(ConfigError, match="auth"):
        load(root / "deploy/understudy.yaml", {"UNDERSTUDY_HOST": "0.0.0.0"})


def test_its_rule_decides(root: Path) -> None:
    router = load(root / "deploy/understudy.yaml", {}).router
    body = {"model": "gpt-4o", "messages": [{"role": "system", "content": "You are the planner of trips."}]}
    decision = router.decide(Query("chat.completions", body, 100))
    assert (decision.route, decision.rule) == ("upstream", "planner stays")


def test_the_commented_parts_are_valid_too(root: Path, tmp_path: Path) -> None:
    """Taking the comment signs away must give a file that works."""
    text = (root / "deploy/understudy.yaml").read_text()
    uncommented = re.sub(
        r"^# ?(?=(engines|slms):|  (gpu0|extract-0\.6b):|  - name| {4}\S)", "", text, flags=re.MULTILINE
    )
    assert uncommented != text
    path = tmp_path / "understudy.yaml"
    path.write_text(uncommented)
    settings = load(path, {"VLLM_API_KEY": "k"}).settings
    assert settings.engines["gpu0"].kind == "vllm"
    assert settings.rules[-1].route == "extract-0.6b"
