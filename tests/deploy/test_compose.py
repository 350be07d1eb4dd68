"""The compose file keeps to the specification, and every service to our rules."""

from __future__ import annotations

import importlib.resources
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

Interpolate = Callable[..., str]

SERVICES = ["proxy", "postgres", "vllm"]
SECRETS = {"OPENAI_API_KEY": "k", "POSTGRES_PASSWORD": "p"}


def test_the_file_keeps_to_the_compose_specification(compose: dict[str, Any]) -> None:
    """The schema is the compose project's own, as the development dependency check-jsonschema ships it."""
    vendored = (
        importlib.resources.files("check_jsonschema") / "builtin_schemas" / "vendor" / "compose-spec.json"
    )
    validator = Draft202012Validator(json.loads(vendored.read_text()))
    assert [f"{list(error.path)}: {error.message}" for error in validator.iter_errors(compose)] == []


def test_the_schema_would_notice_a_mistake(compose: dict[str, Any]) -> None:
    vendored = (
        importlib.resources.files("check_jsonschema") / "builtin_schemas" / "vendor" / "compose-spec.json"
    )
    wrong = {**compose, "services": {"proxy": {"imagine": "understudy"}}}
    assert not Draft202012Validator(json.loads(vendored.read_text())).is_valid(wrong)


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_hardened(name: str, compose: dict[str, Any]) -> None:
    service = compose["services"][name]
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert "privileged" not in service
    assert service["restart"] == "unless-stopped"
    assert ":latest" not in service["image"]


@pytest.mark.parametrize("name", ["proxy", "postgres"])
def test_what_needs_no_writable_image_has_none(name: str, compose: dict[str, Any]) -> None:
    assert compose["services"][name]["read_only"] is True
    assert "/tmp" in compose["services"][name]["tmpfs"]


def test_only_the_proxy_is_published_and_on_loopback(
    compose: dict[str, Any], interpolate: Interpolate
) -> None:
    published = {
        name: service["ports"] for name, service in compose["services"].items() if "ports" in service
    }
    assert list(published) == ["proxy"]
    assert [interpolate(port, {}) for port in published["proxy"]] == ["127.0.0.1:8400:8400"]


def test_the_database_cannot_be_reached_from_outside(compose: dict[str, Any]) -> None:
    assert compose["services"]["postgres"]["networks"] == ["database"]
    assert compose["networks"]["database"]["internal"] is True


def test_no_secret_stands_in_the_file(compose: dict[str, Any]) -> None:
    named = re.compile(r"KEY|PASSWORD|TOKEN|SECRET")
    for service in compose["services"].values():
        for name, value in service["environment"].items():
            if named.search(name):
                assert re.fullmatch(r"\$\{\w+(:-|:\?[^}]*)\}", value), f"{name} is written out"


@pytest.mark.parametrize("missing", SECRETS)
def test_what_must_be_set_is_asked_for(
    missing: str, compose: dict[str, Any], interpolate: Interpolate
) -> None:
    given = {name: value for name, value in SECRETS.items() if name != missing}
    with pytest.raises(KeyError, match=r"into \.env"):
        [interpolate(value, given) for value in compose["services"]["proxy"]["environment"].values()]


def test_every_variable_without_default_is_in_the_example(compose: dict[str, Any], root: Path) -> None:
    text = (root / "docker-compose.yml").read_text()
    asked = set(re.findall(r"\$\{(\w+)(?::\?[^}]*|:-)\}", text))
    offered = set(re.findall(r"^(\w+)=", (root / "deploy/env.example").read_text(), re.MULTILINE))
    assert asked <= offered


def test_named_volumes_networks_and_files_exist(
    compose: dict[str, Any], root: Path, interpolate: Interpolate
) -> None:
    for service in compose["services"].values():
        assert set(service["networks"]) <= set(compose["networks"])
        sources = [interpolate(volume, {}).split(":")[0] for volume in service["volumes"]]
        named = {source for source in sources if not source.startswith(".")}
        assert named <= set(compose["volumes"])
    assert (root / compose["services"]["proxy"]["build"]["dockerfile"]).is_file()
    assert (root / "deploy" / "understudy.yaml").is_file()


def test_the_gpu_stays_out_of_the_way_until_it_is_asked_for(compose: dict[str, Any]) -> None:
    vllm = compose["services"]["vllm"]
    assert vllm["profiles"] == ["gpu"]
    assert all("profiles" not in compose["services"][name] for name in ("proxy", "postgres"))
    assert "vllm" not in compose["services"]["proxy"]["depends_on"]
    [device] = vllm["deploy"]["resources"]["reservations"]["devices"]
    assert device == {"driver": "nvidia", "count": 1, "capabilities": ["gpu"]}
    assert vllm["environment"]["VLLM_ALLOW_RUNTIME_LORA_UPDATING"] == "True"
    assert "--enable-lora" in vllm["command"]


def test_stopping_takes_no_longer_than_it_is_given(compose: dict[str, Any]) -> None:
    drain, workers_grace, shipper_grace = 30, 15, 30
    assert compose["services"]["proxy"]["stop_grace_period"] == "2m"
    assert drain + workers_grace + shipper_grace < 120
