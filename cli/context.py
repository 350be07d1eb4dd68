"""What every verb starts from: the configuration, and the failures that end a command with one clear line."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, NoReturn

import typer

from config.load import Configuration, load
from config.problem import ConfigError
from store.errors import StoreError
from store.keyring import KeyRing

if TYPE_CHECKING:
    from sqlalchemy import Engine

MIRROR_FILE: Final = "proxy-keys.json"
"""In the state folder: the proxy keys that workers know."""

EXIT_USAGE: Final = 2
"""Exit code of every command that could not start: bad configuration, bad arguments, something not reachable."""

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        help="Configuration file.",
        envvar="UNDERSTUDY_CONFIG",
        show_default="understudy.yaml",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


def fail(message: str) -> NoReturn:
    """End the command: one line on standard error, exit code 2."""
    print(f"understudy: {message}", file=sys.stderr)
    raise typer.Exit(EXIT_USAGE)


@contextmanager
def plain_errors() -> Iterator[None]:
    """Turn what is wrong with the surroundings into one clear line instead of a traceback."""
    try:
        yield
    except ConfigError as error:
        fail(str(error))
    except StoreError as error:
        fail(str(error))


def find_config(path: Path | None) -> Path | None:
    """The file to read: the one named, else `understudy.yaml` here where there is one."""
    if path is not None:
        return path
    default = Path("understudy.yaml")
    return default if default.exists() else None


def load_configuration(path: Path | None) -> Configuration:
    """Read the configuration; exits with code 2 and its problems when it is not valid."""
    with plain_errors():
        return load(find_config(path), os.environ)


@dataclass(frozen=True, slots=True)
class Store:
    """An opened store: the database and the keys to its content."""

    engine: Engine
    ring: KeyRing
    configuration: Configuration


@contextmanager
def open_store(path: Path | None) -> Iterator[Store]:
    """The store of a configuration, closed afterwards; exits with code 2 when it cannot be opened."""
    from store.database import open_engine  # noqa: PLC0415  `serve` lives long, and does without its weight

    configuration = load_configuration(path)
    with plain_errors():
        ring = KeyRing.load(key_file(configuration), os.environ)
        engine = open_engine(configuration.settings.store.url)
        try:
            yield Store(engine, ring, configuration)
        finally:
            engine.dispose()


def key_file(configuration: Configuration) -> Path:
    """Where the master keys are, when no variable holds them."""
    return configuration.settings.state_dir / "keys"
