"""Tasks found in logs of every kind, and known again."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conversion.cluster.cluster import cluster, known_tasks, members_of
from conversion.cluster.clustering import Clustering, Sketch
from conversion.example import Example
from router.encoders.hashed_ngrams import HashedNgrams
from router.recogniser import decode, encode
from wire.answer import Answer

MakeExample = Callable[..., Example]
ENCODER = HashedNgrams(256)
ROLES = ("File Analyst", "Travel Planner", "Math Tutor")
FORMAT = "To give your answer use this format:\nThought: what you think\nFinal Answer: what you found"
ANIMALS = ("cat", "dog", "owl", "hen", "bee", "fox", "yak", "emu", "ant", "elk", "asp", "cod")


def find(examples: Sequence[Example], **more: object) -> Clustering:
    return cluster(examples, encoder=ENCODER, **more)  # type: ignore[arg-type]  # options of one test


def role(name: str) -> str:
    return f"You are {name}. You know all about it.\nYour personal goal is: be a good {name}\n{FORMAT}"


def test_an_empty_log() -> None:
    found = find([])
    assert found.tasks == ()
    assert found.recogniser.version == ""


def test_agents_that_share_a_framework(call: MakeExample) -> None:
    examples = [call(role(name), f"Do it {animal}") for name in ROLES for animal in ANIMALS]
    found = find(examples)
    assert {task.id for task in found.tasks} == {"file-analyst", "travel-planner", "math-tutor"}
    assert all(task.calls == len(ANIMALS) and task.share == pytest.approx(1 / 3) for task in found.tasks)
    assert found.assignment[examples[0].call_id] == "file-analyst"


def test_an_agent_never_seen_is_unknown(call: MakeExample) -> None:
    found = find([call(role(name), f"Do it {animal}") for name in ROLES for animal in ANIMALS])
    poet = call(role("Poet"))
    assert members_of(found.recogniser, [poet]) == {poet.call_id: ""}


def test_instructions_of_each_conversation_are_one_task(call: MakeExample) -> None:
    def system(animal: str) -> str:
        rules = "\n".join(f"- Rule about {letter * 4}." for letter in "abcdef")
        return f"You are a user of an agent.\n\nInstruction: You want a {animal} now.\n\nRules:\n{rules}"

    found = find([call(system(animal), "Hi, how can I help you?") for animal in ANIMALS[:-1]])
    (task,) = found.tasks
    new = call(system(ANIMALS[-1]), "Hi, how can I help you?")
    assert members_of(found.recogniser, [new]) == {new.call_id: task.id}


def test_a_template_in_user_texts(call: MakeExample) -> None:
    def asked(animal: str) -> str:
        return f"Summarise the story for a child.\n\nStory:\n{animal} {animal}\n" + f"{animal} ran.\n" * 40

    found = find([call("", asked(animal)) for animal in ANIMALS[:-1]])
    (task,) = found.tasks
    assert task.id == "summarise-story-child"
    new = call("", asked(ANIMALS[-1]))
    assert members_of(found.recogniser, [new]) == {new.call_id: task.id}


def test_questions_that_never_come_back_are_no_tasks(call: MakeExample) -> None:
    found = find([call("", f"How old is a {animal}?") for animal in ANIMALS])
    assert found.tasks == ()
    assert set(found.assignment.values()) == {""}


@pytest.mark.parametrize("system", ["", "You are a helpful assistant."])
def test_all_calls_identical(call: MakeExample, system: str) -> None:
    found = find([call(system, "Say yes", "yes") for _ in range(30)])
    (task,) = found.tasks
    assert (task.kind, task.answers, task.calls) == ("label", ("yes",), 30)


@pytest.mark.parametrize("calls", [1, 2, 12])
def test_few_calls(call: MakeExample, calls: int) -> None:
    found = find([call(role("Poet"), animal, f"An ode to the {animal}") for animal in ANIMALS[:calls]])
    assert [task.calls for task in found.tasks] == [calls]


def test_one_session(call: MakeExample) -> None:
    found = find([call(role("Poet"), animal, session="one") for animal in ANIMALS])
    assert [portrait.sessions for portrait in found.portraits] == [1]


def test_mixed_languages_and_huge_prompts(call: MakeExample) -> None:
    systems = [
        "Du bist Sachbearbeiter. Ordne die Anfrage ein.",
        "あなたは翻訳者です。\n次の文を訳してください。",
        "Ты редактор. Исправь текст.",
        "You are Archivist.\n" + "Keep what matters.\n" * 11_000,
    ]
    found = find([call(system, animal) for system in systems for animal in ANIMALS])
    assert len(found.tasks) == len(systems)
    assert all(task.id for task in found.tasks)


def test_response_formats_are_different_tasks(call: MakeExample) -> None:
    schema = {"type": "json_schema", "json_schema": {"name": "Verdict", "schema": {"type": "object"}}}
    examples = [call(role("Judge"), animal, "I do not know.\nIt is hard.") for animal in ANIMALS]
    examples += [call(role("Judge"), animal, '{"ok": true}', response_format=schema) for animal in ANIMALS]
    found = find(examples)
    assert {task.id: task.kind for task in found.tasks} == {"judge": "text", "judge/verdict": "json"}


INTENTS = {
    "Sort this:": "billing",
    "Take the fields out of:": '{"name": "x", "amount": 3}',
    "Write a long and kind answer to:": "Dear customer,\nthank you for writing to us.",
}


def broad(call: MakeExample, system: str) -> list[Example]:
    """One prompt that serves three intents."""
    letters = [f"{animal} and {other}" for animal in ANIMALS for other in ANIMALS[:3]]
    return [call(system, f"{ask} {text}", answer) for ask, answer in INTENTS.items() for text in letters]


@pytest.mark.parametrize(
    "system", ["You are Desk. You do what you are asked.", "You are a helpful assistant."]
)
def test_a_broad_prompt_is_split_by_what_is_asked(call: MakeExample, system: str) -> None:
    examples = broad(call, system)
    found = find(examples)
    assert sorted(task.kind for task in found.tasks) == ["json", "label", "text"]
    by_kind = {task.kind: task.id for task in found.tasks}
    new = call(system, f"Sort this: {ANIMALS[1]} and {ANIMALS[0]}")
    assert members_of(found.recogniser, [new])[new.call_id] == by_kind["label"]


def test_an_intent_that_a_broad_prompt_never_had_is_unknown(call: MakeExample) -> None:
    found = find(broad(call, "You are Desk. You do what you are asked."))
    new = call("You are Desk. You do what you are asked.", "¿Qué tiempo hace mañana en Sevilla?")
    assert members_of(found.recogniser, [new])[new.call_id] == ""


def test_actions_that_the_text_does_not_tell_are_one_task(
    call: MakeExample, calling: Callable[[str, str], Answer]
) -> None:
    actions: list[str | Answer] = [
        "Let me see what I can do.\nIt may take long.",
        calling("look", '{"id": 1}'),
    ]
    examples = [
        call("You are Desk. You help.", f"{animal} {other}", actions[place % 2])
        for place, animal in enumerate(ANIMALS * 5)
        for other in ANIMALS[:2]
    ]
    assert len(find(examples).tasks) == 1


def test_labels_of_one_classifier_are_one_task(call: MakeExample) -> None:
    labels = ("cat", "dog", "owl", "hen")
    examples = [
        call("You are Sorter. Name the animal.", f"It is a {label} {n}", label)
        for label in labels
        for n in range(40)
    ]
    (task,) = find(examples).tasks
    assert (task.kind, sorted(task.answers)) == ("label", sorted(labels))


def test_ids_stay_when_the_log_grows(call: MakeExample) -> None:
    first = [call(role(name), animal) for name in ROLES for animal in ANIMALS]
    before = find(first, namer=lambda _: "first name")
    second = [*first, *(call(role("Poet"), animal) for animal in ANIMALS * 2)]
    after = find(second, previous=known_tasks(before.recogniser, second))
    assert {task.id for task in before.tasks} < {task.id for task in after.tasks}
    assert all(after.assignment[each.call_id] == before.assignment[each.call_id] for each in first)
    assert after.changes == {}


def test_the_same_log_gives_the_same_bytes(call: MakeExample) -> None:
    examples = [*broad(call, "You are Desk. You do as you are told."), *(call(role(name)) for name in ROLES)]
    one, other = find(examples, seed=7), find(examples, seed=7)
    assert encode(one.recogniser.learned) == encode(other.recogniser.learned)
    assert one.tasks == other.tasks


def test_the_artifact_recognises_alike(call: MakeExample) -> None:
    examples = broad(call, "You are Desk. You do as you are told.")
    found = find(examples)
    again = decode(encode(found.recogniser.learned), ENCODER)
    assert members_of(again, examples) == found.assignment
    assert again.version == found.recogniser.version


def test_a_namer_is_asked_without_content(call: MakeExample) -> None:
    asked: list[Sketch] = []

    def name(sketch: Sketch) -> str:
        asked.append(sketch)
        return "Support / Ticket Label!"

    found = find([call(role("Sorter"), "My card 4111 is lost", "billing") for _ in range(8)], namer=name)
    assert [task.id for task in found.tasks] == ["support/ticket-label"]
    assert asked[0].opening == "You are Sorter"
    assert "4111" not in str(asked)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.tuples(st.text(max_size=30), st.text(max_size=30), st.text(max_size=10)), max_size=12))
def test_any_log_is_clustered(call: MakeExample, said: list[tuple[str, str, str]]) -> None:
    examples = [call(*each) for each in said]
    found = find(examples)
    assert set(found.assignment) == {example.call_id for example in examples}
    assert set(found.assignment.values()) <= {"", *(task.id for task in found.tasks)}
    assert all(found.assignment.values()) or sum(task.calls for task in found.tasks) < len(examples) + 1
