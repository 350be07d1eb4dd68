from __future__ import annotations

from typing import Any

import jsonschema
import pytest
import yaml

from config.schema import json_schema

VALID = [
    "{}",
    "version: 1\nserver: {host: 127.0.0.1, port: 8400, workers: 1, drain: 30s, capture_limit: 8MiB}",
    "server: {port: '${PORT:-8400}', workers: '${WORKERS}'}",
    "upstreams: {a: {base_url: 'http://x', models: ['*'], timeouts: {connect: 500ms, total: null}}}",
    "upstreams: {a: {base_url: 'http://x', stream_usage: 'off', retries: {statuses: [502]}, headers: {x: y}}}",
    "engines: {l: {kind: heads}, g: {kind: vllm, base_url: 'http://x'}}",
    "slms: {s: {engine: g, model: m, context: null, images: false, timeout: 2, price: {input: 0.1, output: 1}}}",
    "store: {url: 'sqlite:///understudy.db', retain: 30d, content: true}\nstate_dir: .understudy",
    "learning: {finetune: {method: full, rank: 256, steps: 500}}",
    "prices: {gpt-4o-mini: {input: 0.15, cached_input: 0.075, output: 0.60}}",
    "defaults: {route: auto, min_agreement: 0.95, confidence: 95%, audit: 2%, fallback: none}",
    "rules: [{name: a, when: {model: ['gpt*', '/x/i'], header.x-team: a, metadata.agent: b}, share: 25%}]",
    "rules: [{name: a, when: {tokens: '<4000', stream: true, images: false}, route: upstream, timeout: 2s}]",
    "rules: [{name: a, when: {tokens: 100..4000}}]",
]
INVALID = [
    "version: 2",
    "servr: {}",
    "server: {port: 99999}",
    "server: {port: http}",
    "server: {drain: fast}",
    "server: {transport: curl}",
    "upstreams: {}",
    "upstreams: {a: {}}",
    "upstreams: {a: {base_url: 'http://x', stream_usage: never}}",
    "engines: {g: {kind: tgi}}",
    "slms: {s: {model: m}}",
    "learning: {finetune: {rank: 24}}",
    "learning: {finetune: {method: dora}}",
    "learning: {finetune: {steps: 0}}",
    "defaults: {audit: 2}",
    "defaults: {audit: many}",
    "rules: [{route: auto}]",
    "rules: [{name: a, when: {modle: x}}]",
    "rules: [{name: a, when: {header.: x}}]",
    "rules: [{name: a, when: {model: 5}}]",
    "rules: [{name: a, when: {model: []}}]",
    "rules: [{name: a, when: {tokens: few}}]",
    "rules: [{name: a, when: {stream: 'yes'}}]",
]


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft202012Validator:
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.mark.parametrize("text", VALID)
def test_valid_files_pass(validator: jsonschema.Draft202012Validator, text: str) -> None:
    assert [error.message for error in validator.iter_errors(yaml.safe_load(text))] == []


@pytest.mark.parametrize("text", INVALID)
def test_invalid_files_do_not(validator: jsonschema.Draft202012Validator, text: str) -> None:
    assert not validator.is_valid(yaml.safe_load(text))


def test_every_setting_is_described() -> None:
    schema = json_schema()
    sections: list[dict[str, Any]] = [schema, *schema["$defs"].values()]
    bare = [
        f"{section['title']}.{name}"
        for section in sections
        for name, held in section["properties"].items()
        if "description" not in held and "$ref" not in held["anyOf"][0]  # a section describes itself
    ]
    assert bare == []
