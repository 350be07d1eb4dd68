"""`understudy serve`: check the surroundings, then hand over to the supervisor."""

from __future__ import annotations

import importlib.util
import logging
import os
import socket
from pathlib import Path
from typing import Annotated, Final

import typer

from cli import logs
from cli.context import ConfigOption, fail, find_config, key_file, load_configuration, plain_errors
from cli.in_force import InForce
from cli.supervisor import supervisor_for
from config.load import Configuration
from store.journal import Journal
from store.keyring import KeyRing

_LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")
_MOST_WORKERS: Final = 256
_BACKLOG: Final = 2048


def serve(
    config: ConfigOption = None,
    host: Annotated[str | None, typer.Option(help="Address, instead of server.host.")] = None,
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="Port, instead of server.port; 0 takes a free one."),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, max=_MOST_WORKERS, help="Workers, instead of server.workers.")
    ] = None,
) -> None:
    """Serve the proxy: workers, the shipper that moves the journal into the database, and what learns from it."""
    path = find_config(config)
    configuration = load_configuration(path)
    settings = configuration.settings
    logs.configure()
    chosen_host = host or settings.server.host
    if chosen_host not in _LOOPBACK and settings.auth.mode != "keys":
        fail(f"--host {chosen_host!r} is not loopback; set auth.mode: keys in the configuration first")
    _check_state(configuration)
    _check_store(settings.store.url)
    listener = _bind(chosen_host, settings.server.port if port is None else port)
    supervisor = supervisor_for(
        path,
        InForce.create(configuration),
        listener,
        workers=workers or settings.server.workers,
        drain=settings.server.drain,
        published=configuration.published if settings.learning.enabled else None,
    )
    where = f"[{chosen_host}]" if ":" in chosen_host else chosen_host
    print(f"understudy is listening on http://{where}:{listener.getsockname()[1]}", flush=True)
    _warn_about_keys(configuration)
    raise typer.Exit(supervisor.run())


def _check_state(configuration: Configuration) -> None:
    """Fail now, in one line, for what every worker would fail for later."""
    with plain_errors():
        ring = KeyRing.load(key_file(configuration), os.environ)
        Journal(configuration.journal, ring).close()


def _check_store(url: str) -> None:
    """What waiting cannot mend: a driver that is not installed, a folder that cannot hold the SQLite file.

    A database that is away is no reason not to serve. No database library is imported: this process lives long."""
    if not url.startswith("sqlite:"):
        if importlib.util.find_spec("psycopg") is None:
            fail("store.url names PostgreSQL, whose driver is missing; pip install 'understudy[postgres]'")
        return
    folder = Path(url.removeprefix("sqlite:///").partition("?")[0]).parent
    if not folder.is_dir():
        fail(f"store.url: there is no folder {str(folder)!r} for the database file; make it or name another")
    if not os.access(folder, os.W_OK | os.X_OK):
        fail(
            f"store.url: this user may not write in {str(folder)!r}; give it the right or name another folder"
        )


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no host name"
        fail(f"cannot listen on {host}:{port} ({reason}); stop what holds it or choose another --port")
    return listener


def _warn_about_keys(configuration: Configuration) -> None:
    for name, upstream in configuration.settings.upstreams.items():
        variable = upstream.api_key_env
        if variable and not os.environ.get(variable) and configuration.settings.auth.mode == "passthrough":
            logging.getLogger("understudy").info(
                "upstream %r: %s is not set; agents must send their own key", name, variable
            )
