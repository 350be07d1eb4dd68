"""Adapters are where they should be, whatever the servers do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from serving.vllm.client import VllmClient
from serving.vllm.placement import Placement
from tests.serving.vllm.conftest import Played, free_port

LOAD, UNLOAD = "/v1/load_lora_adapter", "/v1/unload_lora_adapter"


@pytest.fixture
def client(played: Played) -> Iterator[VllmClient]:
    with VllmClient(played.url) as client:
        yield client


@pytest.fixture
def owned(tmp_path: Path) -> Path:
    return tmp_path / "artifacts"


def test_what_is_wanted_is_loaded_once(played: Played, client: VllmClient, owned: Path) -> None:
    placement = Placement([client], owned)
    assert placement.keep({"a@1": owned / "a"}).loaded == ((client.url, "a@1"),)
    assert placement.keep({"a@1": owned / "a"}).loaded == ()
    assert played.asked == [(LOAD, "a@1")]
    assert played.adapters == {"a@1": str((owned / "a").resolve())}


def test_only_our_own_are_given_up(played: Played, client: VllmClient, owned: Path) -> None:
    played.adapters = {"old@1": str(owned / "old"), "theirs": "/elsewhere/adapter"}
    assert Placement([client], owned).keep({}).unloaded == ((client.url, "old@1"),)
    assert list(played.adapters) == ["theirs"]


def test_a_restarted_server_gets_them_again(played: Played, client: VllmClient, owned: Path) -> None:
    placement = Placement([client], owned)
    placement.keep({"a@1": owned / "a", "b@1": owned / "b"})
    played.adapters.clear()
    assert [name for _, name in placement.keep({"a@1": owned / "a", "b@1": owned / "b"}).loaded] == [
        "a@1",
        "b@1",
    ]


def test_another_folder_takes_the_place_of_the_former(
    played: Played, client: VllmClient, owned: Path
) -> None:
    placement = Placement([client], owned)
    placement.keep({"a@1": owned / "a"})
    placement.keep({"a@1": owned / "other"})
    assert played.adapters == {"a@1": str((owned / "other").resolve())}


def test_a_server_that_dies_in_the_middle_is_tried_again(
    played: Played, client: VllmClient, owned: Path
) -> None:
    placement = Placement([client], owned)
    played.die_at = "a@1"
    wanted = {"a@1": owned / "a", "b@1": owned / "b"}
    placed = placement.keep(wanted)
    assert not placed.complete
    assert "cannot be reached" in placed.away[client.url]
    played.die_at = ""
    assert placement.keep(wanted).complete
    assert set(played.adapters) == {"a@1", "b@1"}


def test_one_server_away_does_not_keep_others_waiting(
    played: Played, client: VllmClient, owned: Path
) -> None:
    with VllmClient(f"http://127.0.0.1:{free_port()}") as gone:
        placed = Placement([gone, client], owned).keep({"a@1": owned / "a"})
    assert list(placed.away) == [gone.url]
    assert placed.loaded == ((client.url, "a@1"),)


def test_what_is_refused_is_offered_less_and_less_often(
    played: Played, client: VllmClient, owned: Path
) -> None:
    now = [0.0]
    placement = Placement([client], owned, clock=lambda: now[0])
    played.refuse = {"a@1"}
    tries = []
    for second in range(60):
        now[0] = float(second)
        before = len(played.asked)
        placed = placement.keep({"a@1": owned / "a", "b@1": owned / "b"})
        assert "greater than max_lora_rank" in placed.failed[client.url, "a@1"]
        if ("/v1/load_lora_adapter", "a@1") in played.asked[before:]:
            tries.append(second)
    assert tries == [0, 5, 15, 35]
    assert "b@1" in played.adapters


def test_a_new_version_is_offered_at_once(played: Played, client: VllmClient, owned: Path) -> None:
    placement = Placement([client], owned, clock=lambda: 0.0)
    played.refuse = {"a@1"}
    placement.keep({"a@1": owned / "a"})
    played.refuse = set()
    assert placement.keep({"a@1": owned / "better"}).complete
