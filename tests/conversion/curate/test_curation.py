"""From the log to a data set: what is dropped is counted, what concerns people is gone, what was written is sealed."""

from __future__ import annotations

from pathlib import Path

import pytest

from conversion.curate.curation import Curation
from conversion.curate.selection import Caps
from conversion.dataset import Dataset
from conversion.source import Span
from store.artifacts import Artifact
from store.errors import ArtifactError
from tests.conversion.conftest import World, completion


def _curated(world: World, curation: Curation | None = None) -> Artifact:
    return (curation or Curation()).run(world.stores.calls, world.stores.artifacts, world.ring)


def _users(dataset: Dataset) -> list[str]:
    return [example.request["messages"][-1]["content"] for example in dataset]


def test_what_is_dropped_is_counted_by_reason(world: World) -> None:
    world.log(
        [
            world.asked("You help.", "Is it 1?", "yes"),
            world.asked("You help.", "Is it 1?", "yes"),
            world.asked("You help.", "Is it 1?", "no"),
            world.asked("You help.", "Is it 2?", "yes", status=500),
            world.record(
                {"model": "m", "messages": [{"role": "user", "content": "Is"}]}, completion("y", "length")
            ),
            world.asked("You help.", "Is it 3?", "yes"),
        ]
    )
    bad = world.stores.calls.list()[0].id
    world.stores.feedback.mark(bad, good=False, note="wrong", at=1)
    artifact = _curated(world, Curation(bad=world.stores.feedback.bad_calls, seed=7))
    facts = artifact.facts
    assert facts["dropped"] == {"marked bad": 1, "truncated": 1, "failed": 1, "duplicate": 1}
    assert (facts["read"], facts["examples"], facts["sessions"], facts["seed"]) == (6, 2, 2, 7)
    assert facts["query"] == {"since": None, "until": None, "limit": 100_000}
    assert len(facts["sha256"]) == 64
    assert _users(Dataset(artifact)) == ["Is it 1?", "Is it 1?"]


def test_no_template_and_no_session_outweighs_the_others(world: World) -> None:
    records = [
        world.asked("You help with order 7 of a@example.org.", f"Is it {n}?", "yes") for n in range(20)
    ]
    records += [world.asked("You count.", f"Count {n}", "1", session="busy") for n in range(20)]
    world.log(records)
    artifact = _curated(world, Curation(caps=Caps(per_template=15, per_session=5)))
    assert artifact.facts["dropped"] == {"session cap": 15, "template cap": 5}
    users = _users(Dataset(artifact))
    assert users == [f"Is it {n}?" for n in range(5, 20)] + [f"Count {n}" for n in range(15, 20)]


def test_a_data_set_holds_no_value_of_a_person_and_gives_surrogates(world: World) -> None:
    world.log(
        [
            world.asked("You help.", f"Mail to ana{n}@example.org, {n}", f"ana{n}@example.org")
            for n in range(30)
        ]
    )
    artifact = _curated(world)
    written = b"".join(path.read_bytes() for path in artifact.path.iterdir())
    assert b"example.org" not in written
    assert b"Mail" not in written  # sealed as a whole
    dataset = Dataset(artifact)
    assert not [each for each in dataset.pseudonymised() if "example.org" in str(each)]
    for example in dataset:
        assert "example.org" not in str(example)
        assert (
            f"Mail to {example.answer.text}, " in _users(Dataset(artifact))[0] or "@" in example.answer.text
        )
    again = Dataset(artifact)
    assert _users(again) == _users(dataset)


def test_a_value_of_many_sessions_is_the_applications_own(world: World) -> None:
    world.log(
        [
            world.asked("Sign as help@shop.example.", f"Reply to {n}", "Yours, help@shop.example")
            for n in range(30)
        ]
    )
    artifact = _curated(world)
    assert artifact.facts["kept_values"] == 1
    assert {example.answer.text for example in Dataset(artifact)} == {"Yours, help@shop.example"}
    assert "help@shop.example" not in str(list(Dataset(artifact).pseudonymised()))


def test_keys_are_never_kept(world: World) -> None:
    key = "sk-abcdefghijklmnop1234"
    world.log([world.asked(f"The key is {key}.", f"Reply to {n}", "ok") for n in range(30)])
    assert key not in str(list(Dataset(_curated(world))))


def test_a_data_set_is_read_in_any_order(world: World) -> None:
    world.log([world.asked("You help.", f"Is it {number}?", "yes") for number in range(1201)])
    dataset = Dataset(_curated(world))
    assert len(dataset) == 1201
    assert [example.started for example in dataset] == sorted(example.started for example in dataset)
    assert dataset[0] == next(iter(dataset))
    assert dataset[-1] == list(dataset)[-1]
    assert [each.call_id for each in dataset[499:502]] == [dataset[n].call_id for n in (499, 500, 501)]
    with pytest.raises(IndexError, match="example 1201 of 1201"):
        dataset[1201]


def test_a_damaged_data_set_is_refused(world: World) -> None:
    world.log([world.asked("You help.", "Is it?", "yes")])
    artifact = _curated(world)
    shard = artifact.path / "examples-00000"
    shard.write_bytes(shard.read_bytes()[:-1] + b"\0")
    with pytest.raises(ArtifactError, match="examples-00000"):
        world.stores.artifacts.open(Path(artifact.path))


def test_long_prompts_and_all_languages(world: World) -> None:
    texts = [
        "Wo ist mein Päckchen?",
        "我的包裹在哪里?",
        "أين طردي؟",
        "Где моя посылка? 🧐",
        "x " * 100_000,
        "\ud83d",
    ]
    world.log([world.asked("You help.", text, "yes") for text in texts[:-1]])
    assert sorted(_users(Dataset(_curated(world)))) == sorted(texts[:-1])


def test_the_progress_is_told(world: World) -> None:
    world.log([world.asked("You help.", f"Is it {number}?", "yes") for number in range(401)])
    told: list[tuple[int, int]] = []
    Curation(span=Span(limit=1000)).run(
        world.stores.calls, world.stores.artifacts, world.ring, lambda *done: told.append(done)
    )
    assert told == [(200, 1000), (400, 1000), (401, 401)]
