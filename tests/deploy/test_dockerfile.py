"""What can be said of the image without building it."""

from __future__ import annotations

import ast
import fnmatch
import json
import re
import tomllib
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

Instructions = list[tuple[str, str]]


def last(dockerfile: Instructions, instruction: str) -> str:
    return [arguments for name, arguments in dockerfile if name == instruction][-1]


def copied(dockerfile: Instructions) -> list[str]:
    """Sources that come from the repository."""
    local = [
        arguments.split() for name, arguments in dockerfile if name == "COPY" and "--from" not in arguments
    ]
    return [source for sources in local for source in sources[:-1]]


def test_everything_copied_exists(dockerfile: Instructions, root: Path) -> None:
    assert [source for source in copied(dockerfile) if not (root / source).exists()] == []


def test_everything_copied_passes_dockerignore(dockerfile: Instructions, root: Path) -> None:
    lines = (root / ".dockerignore").read_text().splitlines()
    assert "*" in lines, "what is not named stays out"
    let_in = [line[1:] for line in lines if line.startswith("!")]
    assert sorted(let_in) == sorted(copied(dockerfile))


def test_no_secret_or_state_can_slip_in(root: Path) -> None:
    let_in = [line[1:] for line in (root / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    for private in (".env", ".git/config", ".understudy/keys", "understudy.db", "deploy/env.example"):
        assert not any(fnmatch.fnmatch(private, pattern.rstrip("/") + "*") for pattern in let_in)


def test_every_package_is_copied(dockerfile: Instructions, root: Path) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text())
    included = project["tool"]["setuptools"]["packages"]["find"]["include"]
    folders = {pattern.removesuffix("*") + "/" for pattern in included}
    assert folders == {source for source in copied(dockerfile) if source.endswith("/")}


def test_the_image_does_not_run_as_root(dockerfile: Instructions) -> None:
    user, group = last(dockerfile, "USER").split(":")
    assert int(user) >= 10_000
    assert int(group) >= 10_000
    names = [name for name, _ in dockerfile]
    assert names.index("USER") < names.index("ENTRYPOINT")


def test_stages_are_pinned_and_the_last_has_no_build_tools(dockerfile: Instructions) -> None:
    stages = [arguments for name, arguments in dockerfile if name == "FROM"]
    assert len(stages) == 2
    assert all("slim" in stage and ":" in stage and ":latest" not in stage for stage in stages)
    final = dockerfile[max(at for at, (name, _) in enumerate(dockerfile) if name == "FROM") :]
    assert not any("pip " in arguments or "apt" in arguments for name, arguments in final if name == "RUN")


def test_the_entry_point_is_a_command_of_ours(dockerfile: Instructions) -> None:
    entry = json.loads(last(dockerfile, "ENTRYPOINT"))
    assert entry == ["understudy"]
    [script] = entry_points(group="console_scripts", name="understudy")
    assert callable(script.load())
    assert json.loads(last(dockerfile, "CMD")) == ["serve"]


def test_the_image_says_how_it_is_and_how_to_stop_it(dockerfile: Instructions) -> None:
    command = last(dockerfile, "HEALTHCHECK").partition("CMD ")[2]
    python, flag, code = json.loads(command)
    assert (python, flag) == ("python", "-c")
    ast.parse(code)
    assert f"127.0.0.1:{last(dockerfile, 'EXPOSE')}/readyz" in code
    assert last(dockerfile, "STOPSIGNAL") == "SIGTERM"
    labels = dict(re.findall(r'org\.opencontainers\.image\.(\w+)="([^"]*)"', last(dockerfile, "LABEL")))
    assert {"title", "description", "licenses", "version", "revision"} <= set(labels)


def test_versions_agree(dockerfile: Instructions, root: Path, compose: dict[str, Any]) -> None:
    version = tomllib.loads((root / "pyproject.toml").read_text())["project"]["version"]
    assert ("ARG", f"VERSION={version}") in dockerfile
    assert compose["services"]["proxy"]["image"] == f"understudy:${{UNDERSTUDY_VERSION:-{version}}}"
