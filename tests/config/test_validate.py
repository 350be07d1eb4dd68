from __future__ import annotations

from collections.abc import Callable

import pytest

from config.problem import Problem

Problems = Callable[..., tuple[Problem, ...]]
SLM = "engines: {e: {kind: heads}}\nslms: {extract-0.6b: {engine: e, model: m}}\n"


def rule(members: str) -> str:
    return f"rules:\n  - {{name: a, {members}}}"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("version: 2", "1:10: version: 2 is not 1"),
        ("servr: {}", "1:1: servr: 'servr' is not a setting; did you mean 'server'?"),
        ("zzz: {}", "1:1: zzz: 'zzz' is not a setting; known are version, server"),
        ("server: {wrkers: 2}", "1:10: server.wrkers: 'wrkers' is not a setting; did you mean 'workers'?"),
        ("server: {port: 99999}", "1:16: server.port: 99999 should be less than or equal to 65535"),
        ("server: {port: http}", "1:16: server.port: 'http' is not a whole number"),
        ("server: {workers: 0}", "1:19: server.workers: 0 should be greater than or equal to 1"),
        ("server: 8400", "1:9: server: 8400 is not a mapping; write keys and values"),
        ("server: {host: [x]}", "1:16: server.host: a list is not a text; put it into quotes"),
        ("server: {drain: fast}", "1:17: server.drain: 'fast' is not a duration; write it like 2s"),
        ("server: {buffer_limit: 8mb}", "1:24: server.buffer_limit: '8mb' is not a size; write it like 8MiB"),
        ("server: {transport: curl}", "1:21: server.transport: 'curl' is not 'lean' or 'aiohttp'"),
        ("server: {host: 0.0.0.0}", "1:16: server.host: '0.0.0.0' would let anyone on the network use your"),
        ("server: {host: example.org}", "1:16: server.host: 'example.org' would let anyone"),
        ("auth: {mode: open}", "1:14: auth.mode: 'open' is not 'passthrough' or 'keys'"),
        ("auth: {mode: keys}", "1:7: auth: the upstream's key is missing: OPENAI_API_KEY is not set; set"),
        ("upstreams: {}", "1:12: upstreams: a mapping is empty; write at least one"),
        ("upstreams: {a: {}}", "1:16: upstreams.a: base_url is missing; add base_url"),
        (
            "upstreams: {a b: {base_url: http://x}}",
            "1:13: upstreams.a b: 'a b' cannot be a name; use letters",
        ),
        (
            "upstreams: {a: {base_url: ftp://x}}",
            "1:27: upstreams.a.base_url: 'ftp://x' is not an http or https",
        ),
        ("upstreams: {a: {base_url: 'http://x?y'}}", "upstreams.a.base_url: 'http://x?y' carries a query"),
        (
            "upstreams: {a: {base_url: 'http://x:pw@y'}}",
            "'http://***@y' carries credentials; put the key into",
        ),
        ("upstreams: {a: {base_url: 'http://x:y'}}", "upstreams.a.base_url: 'http://x:y' is not a URL"),
        ("upstreams: {a: {base_url: 'http://x y'}}", "contains spaces"),
        (
            "upstreams: {a: {base_url: http://x, api_key_env: sk-1}}",
            "upstreams.a.api_key_env: '***' is not the name of a variable; put",
        ),
        ("upstreams: {a: {base_url: http://x, models: gpt}}", "upstreams.a.models: 'gpt' is not a list"),
        (
            "upstreams: {a: {base_url: http://x, timeouts: {connect: 0}}}",
            "upstreams.a.timeouts.connect: 0 should be greater than 0",
        ),
        (
            "upstreams: {a: {base_url: http://x, timeouts: {conect: 1}}}",
            "upstreams.a.timeouts.conect: 'conect' is not a setting; did you mean 'connect'?",
        ),
        (
            "upstreams: {a: {base_url: http://x, retries: {statuses: [200]}}}",
            "upstreams.a.retries.statuses[0]: 200 should be greater than or equal to 400",
        ),
        (
            "upstreams: {a: {base_url: http://x, headers: {x-key: 'sécret'}}}",
            "upstreams.a.headers.x-key: '***' is not a header value",
        ),
        (
            "upstreams: {a: {base_url: http://x, headers: {'x key': v}}}",
            "upstreams.a.headers.x key: 'x key' is not a header name",
        ),
        (
            "engines: {g: {kind: vllm}}",
            "1:14: engines.g: base_url is missing for an engine of kind vllm; add",
        ),
        ("engines: {g: {kind: tgi}}", "1:21: engines.g.kind: 'tgi' is not 'heads' or 'vllm'"),
        (
            "engines: {g: {kind: heads, api_key_env: NONE}}",
            "engines.g.api_key_env: 'NONE' is a variable that is not set; set NONE",
        ),
        ("slms: {s: {engine: g, model: m}}", "1:20: slms.s.engine: 'g' is not a known engine; add it under"),
        (SLM + "  x: 1", "not YAML"),
        (
            "engines: {e: {kind: heads}}\nslms: {auto: {engine: e, model: m}}",
            "slms.auto: 'auto' is a word of route",
        ),
        ("store: {url: mysql://u:pw@h/d}", "1:14: store.url: 'mysql://***@h/d' is not a database URL"),
        ("store: {url: understudy.db}", "1:14: store.url: 'understudy.db' is not a database URL"),
        ("store: {url: 'sqlite:///:memory:'}", "store.url: 'sqlite:///:memory:' names no database file"),
        ("store: {url: 'postgresql://h:x/d'}", "store.url: 'postgresql://h:x/d' has no valid host and port"),
        ("store: {url: 'postgresql://h'}", "store.url: 'postgresql://h' names no database"),
        ('store: {url: "sqlite:///a\\0b"}', "is not a database URL"),
        (
            "state_dir: ~nobody-of-that-name/x",
            "1:12: state_dir: '~nobody-of-that-name/x' names a home folder",
        ),
        ('state_dir: "a\\0b"', "state_dir: 'a\\x00b' contains control characters"),
        ("store: {content: maybe}", "1:18: store.content: 'maybe' is neither true nor false"),
        (
            "prices: {gpt: {input: -1, output: 1}}",
            "1:23: prices.gpt.input: -1 should be greater than or equal",
        ),
        (
            "defaults: {audit: 101%}",
            "1:19: defaults.audit: '101%' is more than 100%; write it like 25% or 0.25",
        ),
        ("defaults: {confidence: 1}", "1:24: defaults.confidence: 1 should be less than 1"),
        ("defaults: {route: gone}", "1:19: defaults.route: 'gone' is not auto, upstream or a known slm"),
        ("rules: {a: b}", "1:8: rules: a mapping is not a list"),
        ("rules: [{route: auto}]", "1:9: rules[0]: name is missing; add name"),
        ("rules: [{name: 'é'}]", "1:16: rules[0].name: 'é' cannot be a name; use printable ASCII"),
        ("rules: [{name: a}, {name: a}]", "1:27: rules[1].name: 'a' is used already; rule names must differ"),
        (
            "rules: [{name: defaults}]",
            "rules[0].name: 'defaults' is used already; the name 'defaults' is taken",
        ),
        (rule("when: [x]"), "2:21: rules[0].when: a list is not a mapping"),
        (
            rule("when: {modle: x}"),
            "2:22: rules[0].when.modle: 'modle' is not a key of when; did you mean 'model'?",
        ),
        (
            rule("when: {model: [a, '/(/']}"),
            "2:33: rules[0].when.model[1]: '/(/' is not a regular expression",
        ),
        (
            rule("when: {tokens: few}"),
            "2:30: rules[0].when.tokens: 'few' is not a number of tokens; write it",
        ),
        (rule("when: {header.x-a: '/a/q'}"), "rules[0].when.header.x-a: '/a/q' has the unknown flag 'q'"),
        (
            SLM + rule("route: extrct-0.6b"),
            "is not auto, upstream or a known slm; did you mean 'extract-0.6b'?",
        ),
        (
            "store: {url: '${NONE}'}",
            "1:14: store.url: '${NONE}' names the variable NONE, which is not set; set it or",
        ),
    ],
)
def test_a_mistake_is_reported_in_one_line_with_its_place(problems: Problems, text: str, line: str) -> None:
    [problem] = problems(text)
    assert line in str(problem)


def test_all_mistakes_are_reported_at_once_in_the_order_of_the_file(problems: Problems) -> None:
    found = problems("""\
        store: {url: "${NONE}", retain: soon}
        server: {port: -1}
        rules:
          - {name: a, when: {modle: x, user: "/(/"}, route: nowhere}
        server: {port: 1}
    """)
    assert [(problem.line, problem.path) for problem in found] == [
        (1, "store.url"),
        (1, "store.retain"),
        (2, "server.port"),
        (4, "rules[0].when.modle"),
        (4, "rules[0].when.user"),
        (4, "rules[0].route"),
        (5, "server"),
    ]


def test_secrets_from_the_environment_are_never_shown(problems: Problems) -> None:
    found = problems("store: {url: '${URL}', retain: '${URL}'}", {"URL": "mysql://u:hunter2@h/d"})
    assert len(found) == 2
    assert "hunter2" not in "\n".join(map(str, found))
    assert "'${URL}'" in str(found[0])


def test_long_values_are_cut(problems: Problems) -> None:
    [problem] = problems(f"server: {{transport: {'x' * 5000}}}")
    assert len(str(problem)) < 400


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "[::1]", "localhost", "127.9.9.9"])
def test_loopback_needs_no_keys(loaded: Callable[[str], object], host: str) -> None:
    assert loaded(f"server: {{host: '{host}'}}")


def test_wider_than_loopback_is_allowed_with_keys(loaded: Callable[..., object]) -> None:
    assert loaded("server: {host: 0.0.0.0}\nauth: {mode: keys}", {"OPENAI_API_KEY": "sk-1"})
