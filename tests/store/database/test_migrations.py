"""The schema: one history for both databases, run by any number of processes at once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from alembic import command
from alembic.util.exc import CommandError
from sqlalchemy import inspect

from store.database import current, migrations, open_engine, pending, upgrade
from store.errors import DatabaseAway, DatabaseError
from store.schema import metadata


def test_the_migrations_make_the_schema_that_the_program_expects(empty_url: str) -> None:
    engine = open_engine(empty_url)
    assert current(engine) is None
    assert pending(engine)
    upgrade(empty_url)
    assert current(engine) == "0003"
    assert not pending(engine)
    assert set(metadata.tables) <= set(inspect(engine).get_table_names())
    configuration = migrations()
    with engine.begin() as connection:
        configuration.attributes["connection"] = connection
        command.check(configuration)
    engine.dispose()


def test_a_schema_that_differs_is_noticed(url: str) -> None:
    engine = open_engine(url)
    configuration = migrations()
    with engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE calls ADD COLUMN forgotten INTEGER")
        configuration.attributes["connection"] = connection
        with pytest.raises(CommandError, match="forgotten"):
            command.check(configuration)
    engine.dispose()


def test_several_processes_may_upgrade_at_once(empty_url: str) -> None:
    script = "import sys; from store.database import upgrade; upgrade(sys.argv[1])"
    root = Path(__file__).parents[3]
    processes = [
        subprocess.Popen([sys.executable, "-c", script, empty_url], cwd=root, stderr=subprocess.PIPE)
        for _ in range(3)
    ]
    for process in processes:
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors.decode()
    engine = open_engine(empty_url)
    assert not pending(engine)
    engine.dispose()


def test_a_newer_schema_is_not_pending(url: str) -> None:
    engine = open_engine(url)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    assert not pending(engine)
    engine.dispose()


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("understudy.db", "no database URL"),
        ("", "no database URL"),
        (
            "mysql://host/name",
            "no database 'mysql' is supported; write sqlite:///understudy.db or postgresql",
        ),
        ("postgresql+nosuch://host/name", "no driver 'postgresql\\+nosuch'"),
    ],
)
def test_an_unusable_url_is_named_with_the_remedy(url: str, says: str) -> None:
    with pytest.raises(DatabaseError, match=says):
        open_engine(url)


def test_a_password_is_never_shown() -> None:
    with pytest.raises(DatabaseAway) as caught:
        upgrade("postgresql://someone:hunter2@127.0.0.1:1/nothing")
    assert "hunter2" not in str(caught.value)
    assert "127.0.0.1" in str(caught.value)


def test_a_file_that_is_no_database_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "understudy.db"
    path.write_bytes(b"this is no database" * 100)
    with pytest.raises(DatabaseError, match="not a database"):
        upgrade(f"sqlite:///{path}")
