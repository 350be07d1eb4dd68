"""The gatekeeper process: compares understudies with the LLM, and publishes which of them may answer."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Mapping
from typing import Final

import httpx2
from sqlalchemy import Engine

from cli import logs, process_arguments
from cli.context import EXIT_USAGE, key_file
from cli.shipping import prices_of
from config.load import Configuration
from config.problem import ConfigError
from config.watch import Watcher
from gatekeeper.gatekeeper import Gatekeeper
from gatekeeper.placement import Placement
from gatekeeper.surroundings import Surroundings
from gatekeeper.tenancy import Tenancy
from serving.vllm.client import VllmClient
from serving.vllm.placement import Placement as Adapters
from store.database import open_engine, upgrade
from store.errors import DatabaseAway, StoreError
from store.keyring import KeyRing

log = logging.getLogger("understudy.gatekeeper")

_STOP_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)
_AWAY_SECONDS: Final = 1.0
_YIELDS: Final = 5
"""Niceness: comparing may take its time, agents may not wait for it."""


class Turns:
    """Works under one configuration after the other until told to stop."""

    def __init__(self, first: Configuration, environ: Mapping[str, str], heads: str) -> None:
        self._environ = environ
        self._heads = heads
        self._current = first
        self._stopping = False
        self._turn = asyncio.Event()

    def stop(self) -> None:
        """End the last turn."""
        self._stopping = True
        self._turn.set()

    def change(self, fresh: Configuration) -> None:
        """Go on under another configuration."""
        self._current = fresh
        self._turn.set()

    async def run(self) -> None:
        """Work. Raises StoreError for a URL or keys that cannot be used, OSError for a folder that cannot."""
        tenancy = Tenancy(self._current.published.parent)
        while not self._stopping:
            engine = open_engine(self._current.settings.store.url)
            try:
                if await self._upgraded():
                    async with httpx2.AsyncClient(trust_env=False) as client:
                        surroundings = compose(self._current, self._environ, engine, self._heads)
                        await Gatekeeper(surroundings, client, tenancy.holder).run(self._turn)
            finally:
                engine.dispose()
            self._turn.clear()
        tenancy.close()

    async def _upgraded(self) -> bool:
        """Bring the schema up to date, however long its database is away; False when the turn ended before."""
        told = False
        while not self._turn.is_set():
            try:
                await asyncio.to_thread(upgrade, self._current.settings.store.url)
            except DatabaseAway as error:
                if not told:
                    log.warning("the database is away, what is published stays in force: %s", error)
                    told = True
                await asyncio.sleep(_AWAY_SECONDS)
            else:
                return True
        return False


def compose(
    configuration: Configuration, environ: Mapping[str, str], engine: Engine, heads: str
) -> Surroundings:
    """What a gatekeeper works with. Raises StoreError for keys that cannot be used."""
    return Surroundings(
        configuration=configuration,
        engine=engine,
        ring=KeyRing.load(key_file(configuration), environ),
        prices=prices_of(configuration),
        heads=heads,
        placements=_placements(configuration),
    )


def _placements(configuration: Configuration) -> dict[str, Placement]:
    """The vLLM engines, whose adapters are loaded at run time."""
    return {
        name: Adapters(
            [VllmClient(url, configuration.engine_keys.get(name, "")) for url in engine.urls],
            configuration.artifacts,
        )
        for name, engine in configuration.settings.engines.items()
        if engine.kind == "vllm"
    }


async def _work(arguments: process_arguments.ProcessArguments, configuration: Configuration) -> None:
    turns = Turns(configuration, os.environ, arguments.heads)
    loop = asyncio.get_running_loop()
    for number in _STOP_SIGNALS:
        loop.add_signal_handler(number, turns.stop)

    def parent_gone() -> None:
        loop.remove_reader(arguments.lifeline)
        log.error("the parent process is gone; the gatekeeper stops")
        turns.stop()

    loop.add_reader(arguments.lifeline, parent_gone)
    watcher = Watcher(configuration, os.environ, on_change=turns.change)
    watching = asyncio.create_task(watcher.run())
    try:
        await turns.run()
    finally:
        watching.cancel()


def main() -> None:
    """Entry of `python -m cli.gatekeeping`, started by the supervisor."""
    arguments = process_arguments.parse("The Understudy gatekeeper")
    logs.configure()
    logging.getLogger("httpx2").setLevel(logging.WARNING)  # it tells every request
    logging.getLogger("understudy.config").setLevel(logging.CRITICAL)  # the workers say it already
    os.nice(_YIELDS)
    try:
        asyncio.run(_work(arguments, arguments.configuration(os.environ)))
    except (ConfigError, StoreError, OSError) as error:
        print(f"understudy: {error}", file=sys.stderr)
        sys.exit(EXIT_USAGE)


if __name__ == "__main__":
    main()
