"""`understudy serve`: check the surroundings, then hand over to the supervisor."""

from __future__ import annotations

import logging
import os
import socket
import sys
from typing import Annotated

import typer

from cli.context import ConfigOption, fail, find_config, key_file, load_configuration, plain_errors
from cli.supervisor import supervisor_for
from cli.worker import LOG_FORMAT
from config.load import Configuration
from store.journal import Journal
from store.keyring import KeyRing


def serve(
    config: ConfigOption = None,
    host: Annotated[str | None, typer.Option(help="Address, instead of server.host.")] = None,
    port: Annotated[
        int | None, typer.Option(help="Port, instead of server.port; 0 takes a free one.")
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Workers, instead of server.workers.")] = None,
) -> None:
    """Serve the proxy: workers, and the shipper that moves the journal into the database."""
    path = find_config(config)
    configuration = load_configuration(path)
    settings = configuration.settings
    logging.basicConfig(level=logging.INFO, format=LOG_FORMAT, stream=sys.stderr)
    chosen_host = host or settings.server.host
    if chosen_host not in ("127.0.0.1", "::1", "localhost") and settings.auth.mode != "keys":
        fail(f"--host {chosen_host!r} is not loopback; set auth.mode: keys in the configuration first")
    _check_state(configuration)
    listener = _bind(chosen_host, settings.server.port if port is None else port)
    supervisor = supervisor_for(
        path, listener, workers=workers or settings.server.workers, drain=settings.server.drain
    )
    where = f"[{chosen_host}]" if ":" in chosen_host else chosen_host
    print(f"understudy is listening on http://{where}:{listener.getsockname()[1]}", flush=True)
    _warn_about_keys(configuration)
    supervisor.run()


def _check_state(configuration: Configuration) -> None:
    """Fail now, in one line, for what every worker would fail for later."""
    state = configuration.settings.state_dir
    with plain_errors():
        ring = KeyRing.load(key_file(configuration), os.environ)
        Journal(state / "journal", ring).close()


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        fail(
            f"cannot listen on {host}:{port} ({error.strerror}); stop what holds it or choose another --port"
        )
    listener.listen(2048)
    listener.set_inheritable(True)
    return listener


def _warn_about_keys(configuration: Configuration) -> None:
    for name, upstream in configuration.settings.upstreams.items():
        variable = upstream.api_key_env
        if variable and not os.environ.get(variable) and configuration.settings.auth.mode == "passthrough":
            logging.getLogger("understudy").info(
                "upstream %r: %s is not set; agents must send their own key", name, variable
            )
