"""The whole loop on a real store: what is found, proven and promoted; what happens when it is cut short."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from conversion.candidate import Progress
from conversion.convert import convert, latest_run, one_step
from conversion.evaluate import Aim
from conversion.heads import HeadCandidate
from conversion.report import Report
from conversion.run import ConversionError, alone
from conversion.selection.catalogue import catalogue
from conversion.selection.constraints import Constraints
from conversion.selection.offers import Offers
from conversion.selection.trials import Contender
from conversion.surroundings import Ability, Request, Surroundings
from conversion.tasks_found import FindTasks
from gatekeeper.placement import wanted
from router.decision import Query
from router.encoders.hashed_ngrams import HashedNgrams
from router.recogniser import FILE_NAME, decode
from serving.encoders.ladder import Encoders
from store.deployments import MoveRow
from store.errors import ArtifactError
from tests.conversion.candidates import Bayes, disk_full, no_memory
from tests.conversion.conftest import World

_AIM = Aim(0.9, 0.95)
_REQUEST = Request(min_examples=60, aim=lambda task: _AIM)


@dataclass
class Quiet:
    """A listener that remembers."""

    steps: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def step(self, about: str) -> Progress:
        self.steps.append(about)
        return lambda done, total: None

    def note(self, sentence: str) -> None:
        self.notes.append(sentence)


def _around(world: World, *candidates: Bayes, listener: Quiet | None = None) -> Surroundings:
    contenders = [Contender(candidate) for candidate in candidates or (Bayes(),)]
    ability = Ability(cluster=FindTasks(HashedNgrams(1024)), contenders=lambda data: contenders)
    return Surroundings(world.stores, ability, world.folder / "state" / "conversion", listener or Quiet())


def _labels(world: World, count: int = 240, first: int = 0) -> None:
    """Messages with a label that their words tell, and plans that nobody can stand in for."""
    world.log([world.sorted_message(number) for number in range(first, first + count)])
    world.log(world.desk(count // 4, "plan", first=first))


def _task(report: Report, text: str) -> str:
    assert report.clustered is not None
    return next(task.id for task in report.clustered.tasks if text in task.id)


def test_a_task_with_labels_gets_an_understudy_and_an_open_one_gets_none(world: World) -> None:
    _labels(world)
    report, kept = convert(_around(world), _REQUEST)
    assert report.evaluated is not None
    assert report.promoted is not None
    task = _task(report, "sort")
    [promotion] = report.promoted.tasks
    assert (promotion.task, promotion.understudy, promotion.state) == (task, f"{task}@1", "shadow")
    row = world.stores.deployments.get(f"{task}@1")
    assert row is not None
    assert (row.engine, row.kind, row.state, row.offline["certified"]) == ("heads", "label", "shadow", True)
    assert 0.9 <= row.agreement <= 1
    assert [
        (move.before, move.after, move.rule) for move in world.stores.deployments.moves(row.understudy)
    ] == [("observe", "shadow", "offline")]
    head = world.stores.artifacts.open(Path(row.files))
    assert (head.kind, head.name, head.files) == ("head", f"{task}@1", ("votes.json",))
    current = world.stores.routers.current()
    assert current is not None
    assert current.path == report.promoted.router
    assert {each.id for each in world.stores.tasks.list()} == {each.id for each in report.clustered.tasks}  # type: ignore[union-attr]
    assert kept is not None
    told = (kept.path / "report.md").read_text()
    assert f"`{task}@1` is in shadow" in told
    assert "its answers are open" in told
    assert json.loads((kept.path / "report.json").read_bytes())["promoted"]["tasks"][0]["task"] == task


def test_a_killed_run_goes_on_where_it_stopped(world: World) -> None:
    _labels(world)
    failing, candidate = Bayes(fault=disk_full), Bayes()
    with pytest.raises(OSError, match="No space left"):
        convert(_around(world, failing), _REQUEST)
    assert world.stores.deployments.list() == []
    assert world.stores.routers.current() is None
    listener = Quiet()
    report, _ = convert(_around(world, candidate, listener=listener), _REQUEST)
    assert not [step for step in listener.steps if step.startswith(("curate", "cluster", "select"))]
    assert "it goes on where it stopped" in listener.notes[0]
    assert report.promoted is not None
    assert report.promoted.tasks[0].state == "shadow"
    assert len(candidate.trainings) == 1


def test_an_interrupted_run_that_asked_for_something_else_is_not_gone_on_with(world: World) -> None:
    _labels(world)
    around = _around(world, Bayes(fault=disk_full))
    with pytest.raises(OSError, match="No space left"):
        convert(around, _REQUEST)
    interrupted = latest_run(around)
    report, _ = convert(_around(world), replace(_REQUEST, seed=1))
    assert interrupted is not None
    assert report.run != interrupted.name


def test_a_candidate_that_cannot_be_trained_leaves_the_others(world: World) -> None:
    _labels(world)
    report, _ = convert(_around(world, Bayes(name="big", fault=no_memory), Bayes()), _REQUEST)
    assert report.evaluated is not None
    trials = {trial.name: trial for trial in report.evaluated.tasks[0].trials}
    assert "14 GiB" in trials["big"].counts.failure
    assert trials["bayes"].verdict.candidates == 2
    assert report.evaluated.tasks[0].best == "bayes"


def test_no_model_is_good_enough_is_a_result(world: World) -> None:
    _labels(world)
    strict = replace(_REQUEST, aim=lambda task: Aim(0.97, 0.999))
    report, _ = convert(_around(world), strict)
    assert report.promoted is not None
    assert not [each for each in report.promoted.tasks if each.understudy]
    assert world.stores.deployments.list() == []
    assert world.stores.routers.current() is not None


def test_a_dry_run_changes_nothing(world: World) -> None:
    _labels(world, 120)
    report, kept = convert(_around(world), replace(_REQUEST, dry=True))
    assert report.clustered is not None
    assert kept is None
    assert world.stores.routers.current() is None
    assert world.stores.tasks.list() == []
    assert world.stores.artifacts.list("dataset") == []
    assert [path.name for path in (world.folder / "state" / "conversion").iterdir()] == ["lock"]


def test_steps_alone_do_what_is_missing_before_them_and_nothing_after(world: World) -> None:
    _labels(world, 120)
    around = _around(world)
    report = one_step(around, _REQUEST, "cluster")
    assert report.clustered is not None
    assert report.selected is None
    first = report.clustered.router
    listener = Quiet()
    again = one_step(_around(world, listener=listener), _REQUEST, "cluster")
    assert again.clustered is not None
    assert again.clustered.router != first
    assert [step.split(":")[0] for step in listener.steps] == ["cluster"]
    with pytest.raises(ConversionError, match="there is no task 'nonsense'; tasks: "):
        one_step(around, replace(_REQUEST, task="nonsense"), "select")


def test_two_conversions_do_not_run_at_once(world: World) -> None:
    around = _around(world)
    with alone(around.folder), pytest.raises(ConversionError, match="another conversion works in"):
        convert(around, _REQUEST)


def test_ids_stay_and_the_incumbent_stays_unless_it_is_beaten(world: World) -> None:
    _labels(world)
    first, _ = convert(_around(world), _REQUEST)
    _labels(world, 200, first=240)
    second, _ = convert(_around(world), _REQUEST)
    assert _task(first, "sort") == _task(second, "sort")
    assert first.clustered is not None
    assert second.clustered is not None
    assert first.clustered.router != second.clustered.router
    older = world.stores.artifacts.open(Path(first.clustered.router))  # it is kept
    assert decode(older.read(FILE_NAME), HashedNgrams(1024)).learned.targets
    assert second.promoted is not None
    [promotion] = second.promoted.tasks
    assert promotion.understudy == f"{promotion.task}@1"
    assert "stays: on" in promotion.sentence
    assert len(world.stores.deployments.list()) == 1


def test_a_better_candidate_takes_over_from_a_worse_incumbent(world: World) -> None:
    _labels(world)
    first, _ = convert(_around(world), _REQUEST)
    name = f"{_task(first, 'sort')}@1"
    row = world.stores.deployments.get(name)
    assert row is not None
    votes = Path(row.files) / "votes.json"
    votes.write_text(
        json.dumps({"refund": {"": 1}})
    )  # damaged: it cannot be trusted, so it cannot defend its place
    with pytest.raises(ArtifactError):
        world.stores.artifacts.open(Path(row.files))
    second, _ = convert(_around(world), replace(_REQUEST, seed=1), fresh=True)
    assert second.promoted is not None
    [promotion] = second.promoted.tasks
    assert promotion.understudy == f"{promotion.task}@2"
    assert promotion.replaces == name


def test_an_understudy_that_was_demoted_is_followed_by_a_new_one(world: World) -> None:
    _labels(world)
    first, _ = convert(_around(world), _REQUEST)
    name = f"{_task(first, 'sort')}@1"
    world.stores.deployments.record(name, (), b"", MoveRow("shadow", "demoted", "fall", "too many differ"), 1)
    second, _ = convert(_around(world), _REQUEST)
    assert second.promoted is not None
    assert second.promoted.tasks[0].understudy == f"{_task(first, 'sort')}@2"
    assert second.promoted.tasks[0].replaces == ""


def test_a_task_that_is_not_found_again_is_retired(world: World) -> None:
    _labels(world)
    first, _ = convert(_around(world), _REQUEST)
    task = _task(first, "sort")
    newest = max(call.started for call in world.stores.calls.list())
    world.log(
        [
            world.asked("You rate films from one to five.", f"A film about {word}", "3")
            for word in ("love", "war", "space")
        ]
    )
    later = replace(_REQUEST, span=replace(_REQUEST.span, since=newest + 1))
    second, _ = convert(_around(world), later)
    assert second.promoted is not None
    assert task in second.promoted.retired
    row = world.stores.tasks.get(task)
    assert row is not None
    assert row.retired is not None
    deployed = world.stores.deployments.get(f"{task}@1")
    assert deployed is not None
    assert deployed.state == "demoted"


def test_a_damaged_router_is_told_and_tasks_are_found_anew(world: World) -> None:
    _labels(world, 120)
    first, _ = convert(_around(world), _REQUEST)
    assert first.clustered is not None
    (Path(first.clustered.router) / "recogniser.bin").write_bytes(b"garbage")
    listener = Quiet()
    second, _ = convert(_around(world, listener=listener), _REQUEST)
    assert second.clustered is not None
    assert any("was changed since it was written" in note for note in listener.notes)


def test_one_class_is_learned_like_any_other(world: World) -> None:
    world.log([world.asked("You help.", f"Is message {number} about money?", "yes") for number in range(150)])
    report, _ = convert(_around(world), _REQUEST)
    assert report.promoted is not None
    [promotion] = report.promoted.tasks
    assert promotion.state == "shadow"


def test_a_real_head_is_trained_and_promoted(world: World) -> None:
    pytest.importorskip("sklearn", reason="heads need scikit-learn: pip install 'understudy[convert]'")
    _labels(world)
    head = HeadCandidate(Encoders(), "hashed")
    ability = Ability(cluster=FindTasks(HashedNgrams(1024)), contenders=lambda data: [Contender(head)])
    around = Surroundings(world.stores, ability, world.folder / "state" / "conversion", Quiet())
    report, _ = convert(around, _REQUEST)
    assert report.promoted is not None
    [promotion] = report.promoted.tasks
    assert promotion.state == "shadow"
    row = world.stores.deployments.get(promotion.understudy)
    assert row is not None
    artifact = world.stores.artifacts.open(Path(row.files))
    assert artifact.facts["candidate"] == head.name
    assert head.load(artifact.path).answer([]) == []


def test_live_calls_are_recognised_by_a_router_that_learned_from_surrogates(world: World) -> None:
    """Their prompts hold values of people; what was learned from holds others of the same shape."""
    records = [
        world.asked(
            f"You help clerk{number}@example.org (account {70_000 + number}, phone +49 30 9018{number:03d}).",
            f"Is message {number} from 203.0.113.{number} about money? My card is 4111 1111 1111 1111.",
            "yes",
        )
        for number in range(40)
    ]
    world.log(records)
    report, _ = convert(_around(world), _REQUEST)
    assert report.clustered is not None
    [task] = report.clustered.tasks
    router = world.stores.artifacts.open(Path(report.clustered.router))
    recogniser = decode(router.read(FILE_NAME), HashedNgrams(1024))
    for record in records:
        assert record.request is not None
        query = Query("chat.completions", json.loads(record.request), record.request_size)
        found = recogniser.recognise(query)
        assert found is not None
        assert (found.task, found.how) == (task.id, "fingerprint")


def test_a_model_that_is_good_enough_as_it_is_is_deployed_under_the_name_that_its_engine_has(
    world: World,
) -> None:
    """Nothing is loaded for it: `gatekeeper.placement` leaves it alone."""
    _labels(world)
    bare = Contender(Bayes(engine="vllm"), engine="gpu7", serves="served-model")
    ability = Ability(cluster=FindTasks(HashedNgrams(1024)), contenders=lambda data: [bare])
    around = Surroundings(world.stores, ability, world.folder / "state" / "conversion", Quiet())
    report, _ = convert(around, _REQUEST)
    assert report.promoted is not None
    row = world.stores.deployments.get(report.promoted.tasks[0].understudy)
    assert row is not None
    assert (row.engine, row.model) == ("gpu7", "served-model")
    assert world.stores.artifacts.open(Path(row.files)).kind == "bare"
    assert wanted("gpu7", [row]) == {}
    loaded = replace(row, model=row.understudy)
    assert wanted("gpu7", [loaded]) == {row.understudy: Path(row.files)}
    assert wanted("gpu8", [loaded]) == {}


def test_what_the_catalogue_has_for_a_task_is_in_the_report(world: World) -> None:
    world.log(world.desk(150, "extract"))
    ability = Ability(
        cluster=FindTasks(HashedNgrams(1024)),
        contenders=lambda data: [Contender(Bayes())],
        catalogue=Offers((), catalogue(), Constraints(memory_gib=4.0)).sifted,
    )
    around = Surroundings(world.stores, ability, world.folder / "state" / "conversion", Quiet())
    report, kept = convert(around, _REQUEST)
    assert report.selected is not None
    [chosen] = report.selected.tasks
    assert "a JSON schema" in chosen.needs
    assert "qwen3-0.6b" in chosen.could
    assert any("GiB" in reason for reason in chosen.could_not["qwen3-8b"])
    assert kept is not None
    assert chosen.needs in (kept.path / "report.md").read_text()
