"""`understudy calls`, `keys` and `db` on a real SQLite store."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
import typer
from typer.testing import CliRunner

from benchmarks.records import record_of
from cli import calls, db, keys
from cli.context import MIRROR_FILE, open_store
from store import call_id
from store.artifacts import ArtifactStore
from store.database import upgrade
from store.database_sink import DatabaseSink
from store.keyring import DIGEST, Sealer
from store.prices import Prices
from store.proxy_keys import read_mirror
from store.record import Record
from store.shipper import Shipper
from tests.store.memory_sink import MemorySink, fill

_STARTED_US = 1_790_000_000_000_000
_MESSAGES = [{"role": "user", "content": "Where is my order number 4711, please?"}]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "understudy.yaml"
    path.write_text(
        f"version: 1\nstate_dir: {tmp_path}/state\nstore: {{url: 'sqlite:///{tmp_path}/understudy.db'}}\n"
    )
    return path


def _run(app: typer.Typer, *arguments: str | Path, fails: bool = False, width: int = 80) -> str:
    words = [str(argument) for argument in arguments]
    result = CliRunner().invoke(app, words, env={"COLUMNS": str(width)})
    assert result.exit_code == (2 if fails else 0), result.output
    return result.output


def _store(config: Path, many: int) -> list[str]:
    """Store calls; returns their ids, the newest first."""
    with open_store(config) as store:
        upgrade(store.configuration.settings.store.url)
        sink = DatabaseSink(store.engine, Sealer(store.ring), store.ring.active.derive(DIGEST), Prices())
        records = [_record(number) for number in range(many)]
        assert sink.write(records, []) == many
    return [call_id.show(record.id) for record in reversed(records)]


def _record(number: int) -> Record:
    started = _STARTED_US + number * 60_000_000
    request = msgspec.json.encode({"model": "gpt-4o", "messages": _MESSAGES})
    return record_of(
        id=(started // 1000).to_bytes(6, "big") + b"\x70\x00\x80" + bytes(7),
        started_us=started,
        duration_us=1_234_000,
        status=200 if number % 2 else 500,
        served_model="gpt-4o",
        session=f"session {number}",
        request=request,
    )


def test_calls_are_listed_as_a_table_and_as_json(config: Path) -> None:
    ids = _store(config, 4)
    listed = json.loads(_run(calls.app, "list", "-c", config, "--json"))
    assert [call["id"] for call in listed] == ids
    assert listed[0]["duration_ms"] == 1234
    failed = json.loads(_run(calls.app, "list", "-c", config, "--json", "--status", "500", "--limit", "1"))
    assert [call["id"] for call in failed] == [ids[1]]
    since = json.loads(_run(calls.app, "list", "-c", config, "--json", "--since", "2026-09-21T14:15:20"))
    assert len(since) < 4
    for width in (50, 80, 120):
        lines = _run(calls.app, "list", "-c", config, width=width).splitlines()
        assert max(map(len, lines)) <= width
        assert ids[0] in "".join(line[: lines[0].index("started")].strip() for line in lines)
        assert "1,234" in lines[1]


def test_a_call_is_shown_with_its_content(config: Path) -> None:
    newest = _store(config, 2)[0]
    shown = json.loads(_run(calls.app, "show", newest, "-c", config, "--json"))
    assert shown["request_body"]["messages"] == _MESSAGES
    plain = _run(calls.app, "show", newest, "-c", config)
    assert "4711" in plain
    assert " ".join(plain.split()).startswith(shown["explanation"])
    assert shown["explanation"] == "This call goes to the upstream, by rule 'defaults': no rule matched."
    assert "no call 'nothing' is stored" in _run(calls.app, "show", "nothing", "-c", config, fails=True)


def test_erasing_needs_exactly_one_choice(config: Path) -> None:
    ids = _store(config, 3)
    assert "by one of" in _run(calls.app, "purge", "-c", config, "--yes", fails=True)
    with open_store(config) as store:
        sets = ArtifactStore(store.configuration.artifacts, store.ring)
        with sets.create("dataset", "calls") as draft:
            draft.commit({})
    said = _run(calls.app, "purge", "-c", config, "--yes", "--session", "session 0")
    assert "erased 1 calls" in said
    assert "1 training sets" in said
    assert sets.list("dataset") == []
    assert "erased 1 calls" in _run(calls.app, "purge", "-c", config, "--yes", "--call", ids[0])
    assert "erased 1 calls" in _run(calls.app, "purge", "-c", config, "--yes", "--before", "2030-01-01")
    assert json.loads(_run(calls.app, "list", "-c", config, "--json")) == []


def test_keys_are_made_mirrored_and_revoked(config: Path) -> None:
    made = json.loads(_run(keys.app, "create", "crew", "-c", config, "--role", "viewer", "--json"))
    assert made["secret"].startswith("usk_")
    mirror = config.parent / "state" / MIRROR_FILE
    assert [(key.id, key.role) for key in read_mirror(mirror).keys] == [(made["id"], "viewer")]
    assert made["secret"] not in mirror.read_text()
    listed = _run(keys.app, "list", "-c", config, "--json")
    assert made["secret"] not in listed
    assert json.loads(listed)[0]["name"] == "crew"
    assert "is revoked" in _run(keys.app, "revoke", made["id"], "-c", config)
    assert read_mirror(mirror).keys == ()
    assert "no active key" in _run(keys.app, "revoke", made["id"], "-c", config, fails=True)
    assert "usk_" in _run(keys.app, "create", "another", "-c", config)


def test_the_schema_is_upgraded_and_shown(config: Path) -> None:
    assert "no schema yet (upgrade pending" in _run(db.app, "current", "-c", config)
    assert "up to date" in _run(db.app, "upgrade", "-c", config)
    assert _run(db.app, "current", "-c", config).strip() == "0003"


def test_a_store_that_cannot_be_opened_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "understudy.yaml"
    path.write_text(
        f"version: 1\nstate_dir: {tmp_path}/state\nstore: {{url: 'sqlite:////no/such/folder/x.db'}}\n"
    )
    output = _run(db.app, "upgrade", "-c", path, fails=True)
    assert "unable to open database file" in output
    assert len(output.strip().splitlines()) == 1


def test_refused_records_are_listed_and_shipped_again(config: Path) -> None:
    assert "nothing is in quarantine" in _run(db.app, "quarantine", "-c", config)
    with open_store(config) as store:
        journal = store.configuration.journal
        sink = MemorySink(breaks_on=int.from_bytes(_record(1).id, "big"))
        fill(journal, store.ring, [_record(number) for number in range(3)])
        with Shipper(journal, store.ring, sink) as shipper:
            assert shipper.ship_once() == 2
    (listed,) = json.loads(_run(db.app, "quarantine", "-c", config, "--json"))
    assert listed["kind"] == "record"
    assert Path(listed["file"]).name in _run(db.app, "quarantine", "-c", config).replace("\n", "")
    assert "1 records were new" in _run(db.app, "quarantine", "-c", config, "--ship-again")
    assert json.loads(_run(db.app, "quarantine", "-c", config, "--json")) == []
    (stored,) = json.loads(_run(calls.app, "list", "-c", config, "--json"))
    assert stored["id"] == call_id.show(_record(1).id)


def test_what_stays_in_quarantine_is_told(config: Path) -> None:
    with open_store(config) as store:
        folder = store.configuration.journal / "quarantine"
    folder.mkdir(parents=True)
    (folder / "0.seg").write_bytes(b"x" * 100)
    assert "0.seg stays: 0 refused, 1 damaged (Tampered)" in _run(
        db.app, "quarantine", "-c", config, "--ship-again"
    )
    (told,) = json.loads(_run(db.app, "quarantine", "-c", config, "--ship-again", "--json"))
    assert (told["done"], told["trouble"]) == (False, "Tampered")
