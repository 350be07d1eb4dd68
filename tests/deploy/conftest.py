"""The deployment files, read once."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

ROOT: Final = Path(__file__).parents[2]

_REFERENCE: Final = re.compile(r"\$\{(?P<name>\w+)(?P<kind>:-|:\?)?(?P<rest>[^}]*)\}")


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository."""
    return ROOT


@pytest.fixture(scope="session")
def compose() -> dict[str, Any]:
    """docker-compose.yml as it is written, variables and all."""
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return loaded


@pytest.fixture(scope="session")
def dockerfile() -> list[tuple[str, str]]:
    """Instruction and arguments of each line of the Dockerfile, continued lines joined."""
    text = re.sub(r"\\\n", " ", (ROOT / "deploy/Dockerfile").read_text())
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    return [(line.split(maxsplit=1)[0], line.split(maxsplit=1)[1].strip()) for line in lines]


Interpolate = Callable[[str, Mapping[str, str]], str]


@pytest.fixture(scope="session")
def interpolate() -> Interpolate:
    """Replaces the variables of a compose value as `docker compose` does; a missing `:?` one is a KeyError."""

    def replaced(text: str, environ: Mapping[str, str]) -> str:
        def value(match: re.Match[str]) -> str:
            given = environ.get(match["name"], "")
            if not given and match["kind"] == ":?":
                raise KeyError(match["rest"])
            return given or (match["rest"] if match["kind"] == ":-" else "")

        return _REFERENCE.sub(value, text)

    return replaced


@pytest.fixture(scope="session")
def container(compose: dict[str, Any], interpolate: Interpolate) -> dict[str, str]:
    """The proxy's environment in the compose file, with stand-ins for the secrets."""
    secrets = {"OPENAI_API_KEY": "upstream-key", "POSTGRES_PASSWORD": "database-password"}
    environment = compose["services"]["proxy"]["environment"]
    return {name: interpolate(value, secrets) for name, value in environment.items()}


@pytest.fixture(scope="session")
def image(dockerfile: list[tuple[str, str]]) -> dict[str, str]:
    """The image's own environment."""
    [arguments] = [arguments for name, arguments in dockerfile if name == "ENV" and "UNDERSTUDY" in arguments]
    return dict(pair.split("=", 1) for pair in arguments.split())
