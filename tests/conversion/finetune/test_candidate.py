"""Tuning: what is tried, what comes out, and what is said when it cannot be done."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from conversion.candidate import TrainingError
from conversion.finetune.base_model import BaseModel
from conversion.finetune.candidate import TunedCandidate
from conversion.finetune.training import LOSSES, Method, Schedule
from conversion.task import TaskData
from router.gate.scorers.by_kind import Kind
from tests.conversion.finetune.conftest import actions, data_of, extractions
from wire.answer import Answer

pytestmark = pytest.mark.filterwarnings(
    "ignore::FutureWarning",  # peft and trl use what transformers gives up
    "ignore::DeprecationWarning",
    "ignore::UserWarning",
)
QUICK = Schedule(batch=8, fewest_steps=6, fewest_epochs=2, rank=4)


def _silent(done: int, of: int) -> None:
    """Tells nobody."""


@pytest.mark.parametrize("method", ["lora", "full"])
def test_a_base_is_tuned_and_answers(method: Method, base: Path, tmp_path: Path) -> None:
    candidate = TunedCandidate(BaseModel("tiny", str(base), 512), method, QUICK)
    data = data_of(extractions(36))
    told: list[tuple[int, int]] = []
    trained = candidate.train(data, tmp_path, lambda done, of: told.append((done, of)))

    assert told[-1][0] == told[-1][1] == 6
    assert trained.files == tmp_path / "tuned"
    assert (trained.files / "adapter_config.json").exists()
    curve = json.loads((trained.files / LOSSES).read_text())
    assert [each["step"] for each in curve if "eval_loss" in each] == [
        3,
        6,
    ]  # after each epoch, on calibration calls
    answers = trained.answer(data.held_out)
    assert len(answers) == len(data.held_out)
    assert all(each.answer is not None and each.tokens > 0 for each in answers)
    assert [each.answer for each in candidate.load(tmp_path).answer(data.held_out)] == [
        each.answer for each in answers
    ]


def test_loss_falls(base: Path, tmp_path: Path) -> None:
    schedule = Schedule(batch=8, fewest_steps=60, rank=8)
    TunedCandidate(BaseModel("tiny", str(base), 512), "lora", schedule).train(
        data_of(extractions(48)), tmp_path, _silent
    )
    curve = json.loads((tmp_path / "tuned" / LOSSES).read_text())
    losses = [each["loss"] for each in curve if "loss" in each]
    assert losses[-1] < losses[0]


def test_an_interrupted_training_goes_on(base: Path, tmp_path: Path) -> None:
    class Killed(Exception):
        pass

    def killed(done: int, of: int) -> None:
        if done == 5:
            raise Killed

    candidate, data = (
        TunedCandidate(BaseModel("tiny", str(base), 512), "lora", QUICK),
        data_of(extractions(36)),
    )
    with pytest.raises(Killed):
        candidate.train(data, tmp_path, killed)
    assert not (tmp_path / "tuned").exists()
    steps: list[int] = []
    candidate.train(data, tmp_path, lambda done, of: steps.append(done))
    assert steps[0] == 4  # the first epoch's three steps are not done again
    candidate.train(data, tmp_path, lambda done, of: pytest.fail("a training that is done is not done again"))


def test_checkpoints_of_another_schedule_are_left(base: Path, tmp_path: Path) -> None:
    data = data_of(extractions(36))
    TunedCandidate(BaseModel("tiny", str(base), 512), "lora", QUICK).train(data, tmp_path, _silent)
    steps: list[int] = []
    other = replace(QUICK, rank=8)
    tuned = TunedCandidate(BaseModel("tiny", str(base), 512), "lora", other).train(
        data, tmp_path, lambda done, of: steps.append(done)
    )
    assert steps[0] == 1
    assert json.loads((tuned.files / "adapter_config.json").read_text())["r"] == 8


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (data_of(extractions(36), "label", ("a", "b")), "closed set"),
        (data_of(extractions(12)), "examples to train on"),
    ],
)
def test_what_does_not_suit_is_said(data: TaskData, reason: str, tmp_path: Path) -> None:
    candidate = TunedCandidate(BaseModel("tiny", "/models/tiny"))
    assert reason in candidate.unsuited(data)
    with pytest.raises(TrainingError, match=reason):
        candidate.train(data, tmp_path, _silent)


@pytest.mark.parametrize(
    ("kind", "length", "suited"), [("text", 300, True), ("text", 2000, False), ("json", 2000, True)]
)
def test_long_free_text_stays_with_the_llm(kind: Kind, length: int, suited: bool) -> None:
    examples = [replace(each, answer=Answer("x" * length)) for each in extractions(36)]
    assert (TunedCandidate(BaseModel("tiny", "x/y")).unsuited(data_of(examples, kind)) == "") is suited


def test_other_endpoints_are_not_tried() -> None:
    examples = [replace(each, endpoint="responses") for each in extractions(36)]
    assert "responses" in TunedCandidate(BaseModel("tiny", "x/y")).unsuited(data_of(examples))


@pytest.mark.parametrize("folder", ["/models/nowhere", "./nowhere", "nowhere"])
def test_a_base_that_is_not_there_is_told(folder: str, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"'.*nowhere' is not there; start the engine with a folder"):
        TunedCandidate(BaseModel("gone", folder)).train(data_of(extractions(36)), tmp_path, _silent)


def test_calls_that_do_not_fit_are_told(base: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="24 do not fit into 40 tokens"):
        TunedCandidate(BaseModel("tiny", str(base), 40)).train(data_of(extractions(36)), tmp_path, _silent)


def test_a_full_disk_is_told(base: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    folder = Path("/dev/full")
    with pytest.raises(TrainingError):
        TunedCandidate(BaseModel("tiny", str(base), 512), "lora", QUICK).train(
            data_of(extractions(36)), folder, _silent
        )


def test_files_of_something_else_are_refused(base: Path, tmp_path: Path) -> None:
    shutil.copy(base / "config.json", tmp_path)
    with pytest.raises(TrainingError, match=r"no adapter_config\.json; train it again"):
        TunedCandidate(BaseModel("tiny", str(base))).load(tmp_path)


def test_tool_calls_are_learned_as_tool_calls(base: Path, tmp_path: Path) -> None:
    data = data_of(actions(36), "tool_call")
    trained = TunedCandidate(BaseModel("tiny", str(base), 600), "lora", QUICK).train(data, tmp_path, _silent)
    assert len(trained.answer(data.held_out)) == len(data.held_out)
