from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from config.load import Configuration, configuration, load
from config.problem import ConfigError
from config.settings import Settings
from router.decision import Query

Load = Callable[..., Configuration]
Write = Callable[[str], Path]

EXAMPLE = """\
    version: 1
    server: {host: 127.0.0.1, port: 8400, workers: 1}
    upstreams:
      openai: {base_url: https://api.openai.com/v1, api_key_env: OPENAI_API_KEY, models: ["*"]}
    engines:
      local: {kind: heads}
      gpu0:  {kind: vllm, base_url: http://127.0.0.1:8000/v1}
    slms:
      extract-0.6b: {engine: gpu0, model: extract-0.6b}
    store: {url: sqlite:///understudy.db, retain: 30d}
    prices: {gpt-4o-mini: {input: 0.15, cached_input: 0.075, output: 0.60}}
    defaults: {route: auto, min_agreement: 0.95, confidence: 0.95, audit: 2%, fallback: upstream}
    rules:
      - {name: planner stays, when: {system: "You are the planner*"}, route: upstream}
      - {name: intents, when: {task: support/intent}, route: auto, min_agreement: 0.98}
      - {name: pinned, when: {model: "gpt-4o*", response_format: json_schema}, route: extract-0.6b, timeout: 2s}
"""


def call(system: str = "", **body: object) -> Query:
    messages = [{"role": "system", "content": system}, {"role": "user", "content": "hi"}]
    return Query("chat.completions", {"model": "gpt-4o", "messages": messages, **body}, 200)


def test_the_documented_example(loaded: Load) -> None:
    found = loaded(EXAMPLE)
    router = found.router
    assert router.decide(call("You are the planner of a desk.")).rule == "planner stays"
    pinned = router.decide(call(response_format={"type": "json_schema"}))
    assert (pinned.rule, pinned.understudy, pinned.timeout, pinned.audit) == (
        "pinned",
        "extract-0.6b",
        2.0,
        0.02,
    )
    assert [(rule.name, rule.min_agreement) for rule in router.rules] == [
        ("planner stays", 0.95),
        ("intents", 0.98),
        ("pinned", 0.95),
    ]


def test_no_file_means_the_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = load(None, {})
    assert found.path is None
    assert found.written == Settings()
    assert found.settings.upstreams["openai"].base_url == "https://api.openai.com/v1"
    assert found.settings.store.url == f"sqlite:///{tmp_path}/understudy.db"


def test_the_file_of_the_working_folder_is_found(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(write("server: {port: 9}").parent)
    assert load(None, {}).settings.server.port == 9


def test_a_missing_file_is_a_problem(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.yaml: cannot be read: No such file"):
        load(tmp_path / "none.yaml", {})


@pytest.mark.parametrize(
    ("written", "located"),
    [
        ("sqlite:///u.db", "sqlite:///{folder}/u.db"),
        ("sqlite:///data/u.db?timeout=5", "sqlite:///{folder}/data/u.db?timeout=5"),
        ("sqlite:////srv/u.db", "sqlite:////srv/u.db"),
        ("postgresql://u:p@host/db", "postgresql://u:p@host/db"),
        ("postgresql+psycopg:///db?host=/run", "postgresql+psycopg:///db?host=/run"),
    ],
)
def test_relative_paths_start_at_the_files_folder(
    write: Write, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, written: str, located: str
) -> None:
    file = write(f"store: {{url: '{written}'}}\nstate_dir: state")
    monkeypatch.chdir("/")
    settings = load(file, {}).settings
    assert settings.store.url == located.format(folder=tmp_path)
    assert settings.state_dir == tmp_path / "state"


def test_an_absolute_state_folder_stays(loaded: Load) -> None:
    assert loaded("state_dir: /srv/state").settings.state_dir == Path("/srv/state")


def test_the_state_folder_may_be_in_the_home(loaded: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/agent")
    assert loaded("state_dir: ~/.understudy").settings.state_dir == Path("/home/agent/.understudy")


class TestVersion:
    def test_comments_order_and_spelling_do_not_count(self, loaded: Load) -> None:
        first = loaded("server: {drain: 60s, port: 8400}\nstore: {retain: 1d}")
        second = loaded("# a comment\nstore:\n  retain: 24h\nserver:\n  drain: 1m")
        assert first.version == second.version
        assert len(first.version) == 12

    def test_every_effective_change_counts(self, loaded: Load) -> None:
        texts = ["", "server: {port: 1}", "rules: [{name: a}]", "rules: [{name: b}]"]
        assert len({loaded(text).version for text in texts}) == len(texts)

    def test_the_order_of_upstreams_counts(self, loaded: Load) -> None:
        a, b = "a: {base_url: 'http://a'}", "b: {base_url: 'http://b'}"
        assert loaded(f"upstreams: {{{a}, {b}}}").version != loaded(f"upstreams: {{{b}, {a}}}").version

    def test_the_folder_does_not_count(self, tmp_path: Path) -> None:
        versions = set()
        for name in ("one", "two"):
            folder = tmp_path / name
            folder.mkdir()
            (folder / "understudy.yaml").write_text("version: 1")
            versions.add(load(folder / "understudy.yaml", {}).version)
        assert len(versions) == 1


@pytest.mark.parametrize(
    ("model", "upstream"),
    [("claude-5", "anthropic"), ("gpt-4o", "openai"), ("llama", "openai"), ("", "openai")],
)
def test_the_first_upstream_that_matches_serves_a_model(loaded: Load, model: str, upstream: str) -> None:
    found = loaded("""
        upstreams:
          openai: {base_url: "https://api.openai.com/v1", models: ["gpt-*", "o?"]}
          anthropic: {base_url: "https://api.anthropic.com/v1", models: ["claude-*"]}
    """)
    assert found.upstream_for(model) == upstream


def test_keys_come_from_the_environment_and_are_not_shown(loaded: Load) -> None:
    found = loaded(
        """
        auth: {mode: keys}
        upstreams: {a: {base_url: "http://a", api_key_env: A_KEY}, b: {base_url: "http://b"}}
        engines: {gpu: {kind: vllm, base_url: "http://c", api_key_env: C_KEY}}
        """,
        {"A_KEY": "sk-a", "C_KEY": "sk-c\n"},
    )
    assert found.upstream_keys == {"a": "sk-a"}
    assert found.engine_keys == {"gpu": "sk-c"}
    assert "sk-" not in repr(found)


def test_in_passthrough_the_upstreams_variable_may_be_unset(loaded: Load) -> None:
    assert loaded("upstreams: {a: {base_url: 'http://a', api_key_env: A_KEY}}").upstream_keys == {}


def test_values_may_come_from_the_environment(loaded: Load) -> None:
    text = """
        server: {port: "${PORT:-9000}", workers: "${WORKERS}"}
        store: {url: "${UNDERSTUDY_STORE_URL:-sqlite:///understudy.db}", content: "${CONTENT:-false}"}
        defaults: {audit: "${AUDIT:-3%}"}
    """
    settings = loaded(text, {"WORKERS": "2", "UNDERSTUDY_STORE_URL": "postgresql://u:p@h/d"}).settings
    assert (settings.server.port, settings.server.workers) == (9000, 2)
    assert settings.store.url == "postgresql://u:p@h/d"
    assert settings.store.content is False
    assert settings.defaults.audit == pytest.approx(0.03)


def test_rules_take_what_they_leave_out_from_the_defaults(loaded: Load) -> None:
    found = loaded("""
        engines: {e: {kind: heads}}
        slms: {s: {engine: e, model: m, timeout: 9s, context: 512, images: true}}
        defaults: {route: s, timeout: 4s, audit: 5%, fallback: none}
        rules:
          - {name: bare}
          - {name: own, route: upstream, timeout: 1s, audit: 0, fallback: upstream, confidence: 0.9}
    """)
    bare, own = found.router.rules
    assert (bare.route, bare.timeout, bare.audit, bare.fallback, bare.share) == ("s", 4.0, 0.05, False, 1.0)
    assert (own.route, own.timeout, own.audit, own.fallback, own.confidence) == (
        "upstream",
        1.0,
        0.0,
        True,
        0.9,
    )
    assert found.router.slms["s"].context == 512
    assert found.router.slms["s"].images
    assert found.router.defaults.fallback is False


def test_settings_made_by_a_program_are_as_good_as_a_file(tmp_path: Path) -> None:
    found = configuration(Settings.model_validate({"rules": [{"name": "a", "route": "upstream"}]}), {})
    assert found.router.decide(call()).rule == "a"
