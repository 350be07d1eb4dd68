"""The watcher against real files, replaced in all the ways that editors and orchestrators do it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import pytest

from config.load import Configuration, load
from config.problem import ConfigError
from config.settings import Settings
from config.watch import Watcher

Write = Callable[[str], Path]
Value = TypeVar("Value")
POLL = 0.01
DEADLINE = 10.0


class Seen:
    """What a watcher reported."""

    def __init__(self) -> None:
        self.changes: list[Configuration] = []
        self.errors: list[ConfigError] = []


@asynccontextmanager
async def watching(file: Path) -> AsyncIterator[tuple[Watcher, Seen]]:
    seen = Seen()
    watcher = Watcher(
        load(file, {}), {}, on_change=seen.changes.append, on_error=seen.errors.append, poll=POLL
    )
    task = asyncio.create_task(watcher.run())
    try:
        yield watcher, seen
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(condition: Callable[[], Value]) -> Value:
    """Wait until a condition holds; fails past the deadline."""
    async with asyncio.timeout(DEADLINE):
        while not (value := condition()):
            await asyncio.sleep(POLL)
        return value


def rule(name: str) -> str:
    return f"rules: [{{name: {name}, route: upstream}}]"


async def changed(watcher: Watcher, name: str) -> None:
    await until(lambda: [rule.name for rule in watcher.current.settings.rules] == [name])


async def test_a_written_file_comes_into_force(write: Write) -> None:
    async with watching(write(rule("one"))) as (watcher, seen):
        before = watcher.loaded_at
        write(rule("two"))
        await changed(watcher, "two")
        assert seen.changes == [watcher.current]
        assert watcher.current.router.rules[0].name == "two"
        assert watcher.loaded_at >= before


async def test_an_editors_rename_is_seen(write: Write, tmp_path: Path) -> None:
    async with watching(write(rule("one"))) as (watcher, _):
        fresh = tmp_path / ".understudy.yaml.swp"
        fresh.write_text(rule("two"))
        fresh.replace(tmp_path / "understudy.yaml")
        await changed(watcher, "two")


async def test_a_rename_with_the_old_time_and_size_is_seen(write: Write, tmp_path: Path) -> None:
    file = write(rule("one"))
    async with watching(file) as (watcher, _):
        old = file.stat()
        fresh = tmp_path / "fresh"
        fresh.write_text(rule("two"))
        os.utime(fresh, ns=(old.st_atime_ns, old.st_mtime_ns))
        fresh.replace(file)
        await changed(watcher, "two")


async def test_kubernetes_symlinks_are_followed(tmp_path: Path) -> None:
    """A mounted ConfigMap is file -> ..data/file, where ..data -> a folder that is swapped by a rename."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "understudy.yaml").write_text(rule(name))
    (tmp_path / "..data").symlink_to("one")
    file = tmp_path / "understudy.yaml"
    file.symlink_to("..data/understudy.yaml")
    async with watching(file) as (watcher, _):
        (tmp_path / "..data_tmp").symlink_to("two")
        (tmp_path / "..data_tmp").replace(tmp_path / "..data")
        await changed(watcher, "two")


async def test_a_broken_edit_changes_nothing_and_is_reported(write: Write) -> None:
    async with watching(write(rule("one"))) as (watcher, seen):
        good = watcher.current
        write("rules: [{name: two, route: nowhere}]")
        error = await until(lambda: watcher.last_error)
        assert watcher.current is good
        assert "understudy.yaml:1:28: rules[0].route: 'nowhere' is not auto" in str(error)
        write(rule("three"))
        await changed(watcher, "three")
        assert watcher.last_error is None
        assert (len(seen.errors), len(seen.changes)) == (1, 1)


async def test_an_edit_taken_back_clears_the_error(write: Write) -> None:
    async with watching(write(rule("one"))) as (watcher, seen):
        write("rules: {")
        await until(lambda: watcher.last_error)
        write(rule("one"))
        await until(lambda: watcher.last_error is None)
        assert seen.changes == []


async def test_a_deleted_file_keeps_the_last_good(write: Write) -> None:
    file = write(rule("one"))
    async with watching(file) as (watcher, _):
        file.unlink()
        error = await until(lambda: watcher.last_error)
        assert "cannot be read: No such file" in str(error)
        assert watcher.current.router.rules[0].name == "one"
        write(rule("two"))
        await changed(watcher, "two")
        assert watcher.last_error is None


async def test_what_needs_a_restart_is_kept_and_named(write: Write) -> None:
    async with watching(write(rule("one"))) as (watcher, seen):
        write(
            "server: {port: 9999, drain: 1s}\nstate_dir: elsewhere\n"
            "store: {url: sqlite:///other.db, retain: 1d, fsync: always}\n" + rule("two")
        )
        await changed(watcher, "two")
        waiting = ("server.port", "server.drain", "store.url", "state_dir", "store.fsync")
        assert watcher.pending_restart == waiting
        running = watcher.current.settings
        assert running.store.fsync == "never"
        assert (running.server.port, running.store.retain) == (8400, 86400.0)
        assert running.store.url.endswith("/understudy.db")
        write("store: {retain: 1d}\n" + rule("two"))
        await until(lambda: watcher.pending_restart == ())
        assert len(seen.changes) == 1


async def test_only_a_restart_pending_is_no_change(write: Write) -> None:
    async with watching(write("")) as (watcher, seen):
        version = watcher.current.version
        write("auth: {mode: keys}\nupstreams: {openai: {base_url: 'https://api.openai.com/v1'}}")
        await until(lambda: watcher.pending_restart)
        assert watcher.pending_restart == ("auth.mode",)
        assert watcher.current.settings.auth.mode == "passthrough"
        write("server: {workers: 2}")
        await until(lambda: watcher.pending_restart == ("server.workers",))
        assert watcher.current.version == version
        assert len(seen.changes) == 2  # the upstream of the first edit came and went


async def test_a_change_that_cannot_be_put_in_force_leaves_the_last_good(
    write: Write, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(fresh: Configuration) -> None:
        raise RuntimeError("no")

    watcher = Watcher(load(write(rule("one")), {}), {}, on_change=refuse, poll=POLL)
    task = asyncio.create_task(watcher.run())
    write(rule("two"))
    error = await until(lambda: watcher.last_error)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert "cannot be used: RuntimeError" in str(error)
    assert watcher.current.router.rules[0].name == "one"
    assert "RuntimeError: no" in caplog.text


async def test_a_change_between_loading_and_watching_is_seen(write: Write) -> None:
    watcher = Watcher(load(write(rule("one")), {}), {}, on_change=lambda fresh: None, poll=POLL)
    write(rule("two"))
    task = asyncio.create_task(watcher.run())
    await changed(watcher, "two")
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_without_a_file_there_is_nothing_to_watch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    watcher = Watcher(load(None, {}), {}, on_change=lambda fresh: None)
    await watcher.run()
    assert watcher.current.written == Settings()
