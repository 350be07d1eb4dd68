"""The machine: room on its disks, what waits in the journal, open files, and the port."""

from __future__ import annotations

import resource
import shutil
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import httpx2

from cli.checks.finding import Finding, ok, problem, warning
from config.load import Configuration
from store.lag import backlog, read_status
from store.quarantine import Quarantine

GIB: Final = 2**30
_LITTLE: Final = GIB
_TOO_LITTLE: Final = 100 * 2**20
_FILES: Final = 4096
_LATE_SECONDS: Final = 600


def check_disk(configuration: Configuration) -> Iterator[Finding]:
    """Room where the journal is written, and where a SQLite file grows."""
    url = configuration.settings.store.url
    places = {"state_dir": configuration.settings.state_dir}
    if url.startswith("sqlite:"):
        places["store.url"] = Path(url.removeprefix("sqlite:///").partition("?")[0]).parent
    for name, folder in places.items():
        there = next((each for each in (folder, *folder.parents) if each.is_dir()), Path("/"))
        free = shutil.disk_usage(there).free
        told = f"{free / GIB:,.1f} GiB free for {name} in {folder}"
        if free < _TOO_LITTLE:
            yield problem("disk", told, "make room: calls are served on a full disk, and are not recorded")
        elif free < _LITTLE:
            yield warning("disk", told, "make room, or shorten store.retain")
        else:
            yield ok("disk", told)


def check_journal(configuration: Configuration) -> Iterator[Finding]:
    """What waits for the database, and what the shipper could not read."""
    folder = configuration.journal
    waiting = backlog(folder)
    told = f"{waiting.bytes / 2**20:,.1f} MiB in {waiting.segments} segments wait for the database"
    late = time.time() - waiting.oldest_us / 1e6 if waiting.oldest_us is not None else 0.0
    if late > _LATE_SECONDS:
        remedy = "start understudy serve, whose shipper stores them, and see whether the database answers"
        yield warning("journal", f"{told}, the oldest since {late / 60:,.0f} minutes", remedy)
    else:
        yield ok("journal", told)
    if kept := Quarantine(folder).files():
        yield warning(
            "journal",
            f"{len(kept)} files are in quarantine: records that the database refused, or damaged segments",
            "see them with understudy db quarantine, and try again with --ship-again",
        )
    status = read_status(folder)
    if status is not None and status.unreadable:
        yield warning(
            "journal",
            f"{status.unreadable} segments cannot be read and wait",
            "give back the key that they were written with (UNDERSTUDY_KEY), or start the newer program",
        )


def check_files() -> Iterator[Finding]:
    """Whether each worker may hold enough connections."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < _FILES:
        yield warning(
            "open files",
            f"a process may open {soft}; each call in flight takes two",
            f"raise it: ulimit -n {_FILES * 4}, or LimitNOFILE= of the service",
        )
    else:
        yield ok("open files", f"a process may open {soft if soft >= 0 else 'any number'}")


def check_port(host: str, port: int) -> Iterator[Finding]:
    """Whether the port is free, or is ours already."""
    if port == 0:
        yield ok("port", "any free one")
        return
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except (OSError, UnicodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "no host name"
            yield _taken(host, port, reason or str(error))
            return
    yield ok("port", f"{host}:{port} is free")


def _taken(host: str, port: int, reason: str) -> Finding:
    reached = "127.0.0.1" if host in ("0.0.0.0", "localhost") else "[::1]" if host == "::" else host  # noqa: S104
    try:
        answer = httpx2.get(f"http://{reached}:{port}/healthz", timeout=2)
        ours = answer.status_code == 200 and answer.json() == {"status": "ok"}
    except (httpx2.HTTPError, ValueError):
        ours = False
    if ours:
        return ok("port", f"understudy serves on {host}:{port} already")
    return problem(
        "port", f"{host}:{port} cannot be had: {reason}", "choose another server.port or free this one"
    )
