"""Runs TRL's supervised fine-tuning on a training set: LoRA, QLoRA or all weights."""

from __future__ import annotations

import errno
import json
import logging
import math
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from conversion.candidate import Progress, TrainingError
from conversion.finetune.difference import adapter_config, save_difference
from conversion.finetune.training_set import TrainingSet

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

_LOG: Final = logging.getLogger(__name__)
EXTRA: Final = "pip install 'understudy[finetune]'"
TUNED: Final = "tuned"
"""Folder, in the training's own, of the adapter that the engine loads."""
LOSSES: Final = "losses.json"
"""Beside it: the loss by step, of training and calibration calls; it goes with the artifact."""

_LEAST_ROOM: Final = 1 << 20
"""Bytes free on a disk that is as good as full."""

Method = Literal["lora", "qlora", "full"]
"""Adapters beside frozen weights, beside weights in four bits, or the weights of the layers themselves."""

_RATE_TIMES_WIDTH: Final = 0.4
"""Learning rates that work fall with a model's width: 2e-4 at 2048, as QLoRA's authors use (Dettmers et al., 2023)."""
_FULL_SHARE: Final = 0.25
"""Of LoRA's learning rate, where the layers' own weights are tuned."""
_LOST: Final = 0.01
"""Share of a change that may be lost before it is told."""
_ASKED: Final = "asked.json"
"""What a training in a folder was asked for; checkpoints of another are of no use."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long and how fast to train."""

    batch: int = 16
    fewest_steps: int = 200
    """A small training set is gone over until so many steps are done..."""
    fewest_epochs: int = 3
    most_epochs: int = 20
    """...or it has been gone over so often."""
    rank: int = 16
    """Of the adapter, which is all that the engine loads."""
    rate: float | None = None
    """Learning rate; None takes one that suits the model's width."""
    seed: int = 0

    def epochs(self, examples: int) -> int:
        """How often to go over so many examples."""
        per_epoch = max(1, math.ceil(examples / self.batch))
        return min(max(self.fewest_epochs, math.ceil(self.fewest_steps / per_epoch)), self.most_epochs)


@dataclass(frozen=True, slots=True)
class Loaded:
    """A base model's files, opened."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase


def load_tokenizer(base: str) -> PreTrainedTokenizerBase:
    """The tokenizer of a base model. Raises TrainingError."""
    try:
        from transformers import AutoTokenizer  # noqa: PLC0415  (an extra)
    except ImportError:
        raise TrainingError(f"fine-tuning is not installed; {EXTRA}") from None
    _check_there(base)
    try:
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(base)
    except (OSError, ValueError) as error:
        raise TrainingError(f"the tokenizer of {base!r} cannot be read: {_first_line(error)}") from None
    if not tokenizer.chat_template:
        raise TrainingError(
            f"the tokenizer of {base!r} has no chat template; choose an instruction-tuned base"
        )
    return tokenizer


def load_model(base: str, method: Method = "lora") -> PreTrainedModel:
    """The weights of a base model, for QLoRA in four bits. Raises TrainingError."""
    import torch  # noqa: PLC0415  (an extra)
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig  # noqa: PLC0415  (an extra)

    _check_there(base)
    options: dict[str, Any] = {"dtype": torch.bfloat16 if torch.cuda.is_available() else torch.float32}
    if method == "qlora":
        options["quantization_config"] = BitsAndBytesConfig(  # type: ignore[no-untyped-call]
            load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=torch.bfloat16
        )
    try:
        model: PreTrainedModel = AutoModelForCausalLM.from_pretrained(base, **options)
    except (OSError, ValueError) as error:
        raise TrainingError(f"the weights of {base!r} cannot be read: {_first_line(error)}") from None
    return model


def train(
    base: str,
    method: Method,
    training: TrainingSet,
    calibration: TrainingSet,
    schedule: Schedule,
    folder: Path,
    progress: Progress,
) -> Path:
    """Tune a base model; returns the folder of what came out. An interrupted training goes on from its last
    checkpoint in `folder`. Raises TrainingError."""
    tuned = folder / TUNED
    asked = json.dumps({"base": base, "method": method, **asdict(schedule)})
    try:
        _clear_of_others(folder, asked)
        if (tuned / "adapter_config.json").exists():
            return tuned
        _tune(base, method, training, calibration, schedule, folder, progress)
    except (OSError, RuntimeError, MemoryError) as error:
        raise _translated(error, folder) from error
    except Exception as error:
        # What the writers of weights and tokenizers raise is of no type that says more.
        if type(error).__name__ == "SafetensorError" or _is_full(error, folder):
            raise _translated(error, folder) from error
        raise
    return tuned


def _tune(
    base: str,
    method: Method,
    training: TrainingSet,
    calibration: TrainingSet,
    schedule: Schedule,
    folder: Path,
    progress: Progress,
) -> None:
    try:
        from datasets import Dataset  # type: ignore[import-untyped]  # noqa: PLC0415  (an extra)
        from trl.trainer.sft_trainer import SFTTrainer  # noqa: PLC0415  (an extra)

        adapter = adapter_config(schedule.rank, 2 * schedule.rank)
    except ImportError as error:
        raise TrainingError(f"fine-tuning is not installed ({error.name}); {EXTRA}") from None
    tokenizer, model = load_tokenizer(base), load_model(base, method)
    if method == "full":
        _free_layers(model)
    trainer = SFTTrainer(
        model=model,
        args=_arguments(
            method,
            schedule,
            len(training.calls),
            training.longest,
            model.config.hidden_size,
            folder,
            calibrated=bool(calibration.calls),
        ),
        train_dataset=Dataset.from_list(training.rows()),
        eval_dataset=Dataset.from_list(calibration.rows()) if calibration.calls else None,
        processing_class=tokenizer,
        peft_config=None if method == "full" else adapter,
        callbacks=[_callback(progress)],
    )
    trainer.train(resume_from_checkpoint=_last_checkpoint(folder))
    unfinished = folder / f".{TUNED}"
    if method == "full":
        _save_change(base, trainer.model, schedule.rank, unfinished)
    else:
        trainer.save_model(str(unfinished))
    (unfinished / LOSSES).write_text(json.dumps(_curve(trainer.state.log_history), indent=1))
    unfinished.rename(folder / TUNED)


def _clear_of_others(folder: Path, asked: str) -> None:
    """Make room for a training: what another one left, that was asked for something else, is removed."""
    note = folder / _ASKED
    if folder.is_dir() and (not note.exists() or note.read_text() != asked):
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    note.write_text(asked)


def _free_layers(model: Any) -> None:
    """Tune the linear layers only, as adapters do: an adapter can hold what changes in them, and nothing else."""
    import torch  # noqa: PLC0415  (an extra)

    model.requires_grad_(False)
    head = model.get_output_embeddings()
    for module in model.modules():
        if isinstance(module, torch.nn.Linear) and module is not head:
            module.weight.requires_grad_(True)


def _save_change(base: str, tuned: Any, rank: int, folder: Path) -> None:
    lost = save_difference(load_model(base), tuned.cpu(), rank, folder)
    if lost > _LOST:
        _LOG.warning(
            "an adapter of rank %d holds %.1f%% of what full tuning changed; raise learning.finetune.rank, and the engine's --rank",
            *(rank, 100 * (1 - lost)),
        )


def _arguments(
    method: Method,
    schedule: Schedule,
    examples: int,
    longest: int,
    width: int,
    folder: Path,
    *,
    calibrated: bool,
) -> Any:
    import torch  # noqa: PLC0415  (an extra)
    from trl.trainer.sft_config import SFTConfig  # noqa: PLC0415  (an extra)

    rate = schedule.rate or _RATE_TIMES_WIDTH / width * (_FULL_SHARE if method == "full" else 1)
    gpu = torch.cuda.is_available()
    return SFTConfig(
        output_dir=str(folder),
        num_train_epochs=schedule.epochs(examples),
        per_device_train_batch_size=schedule.batch,
        learning_rate=rate,
        lr_scheduler_type="cosine",
        warmup_steps=10,
        max_length=longest,
        completion_only_loss=True,
        bf16=gpu,
        use_cpu=not gpu,
        gradient_checkpointing=gpu,
        save_strategy="epoch",
        eval_strategy="epoch" if calibrated else "no",
        save_total_limit=1,
        logging_steps=10,
        report_to=[],
        disable_tqdm=True,
        seed=schedule.seed,
        dataloader_pin_memory=gpu,
    )


def _callback(progress: Progress) -> Any:
    from transformers import TrainerCallback  # noqa: PLC0415  (an extra)

    class Told(TrainerCallback):  # type: ignore[misc, unused-ignore]  # untyped where transformers is not installed
        def on_step_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
            progress(state.global_step, state.max_steps)

    return Told()


def _last_checkpoint(folder: Path) -> str | None:
    found = sorted(folder.glob("checkpoint-*"), key=lambda path: int(path.name.rpartition("-")[2]))
    whole = [path for path in found if (path / "trainer_state.json").exists()]
    return str(whole[-1]) if whole else None


def _curve(history: list[dict[str, Any]]) -> list[dict[str, float]]:
    """Step and loss; `eval_loss` is that of the calibration calls."""
    named = ("step", "loss", "eval_loss")
    return [
        {name: each[name] for name in named if name in each}
        for each in history
        if "loss" in each or "eval_loss" in each
    ]


def _check_there(base: str) -> None:
    """A base that is named by a path has to be there; anything else is an id of the hub."""
    path = Path(base).expanduser()
    if not path.exists() and (base.startswith((".", "/", "~")) or base.count("/") != 1):
        raise TrainingError(
            f"the base model {base!r} is not there; start the engine with a folder that this machine sees, too"
        )


def _translated(error: BaseException, folder: Path) -> TrainingError:
    said = _first_line(error)
    if _is_full(error, folder):
        return TrainingError(
            f"the disk of {str(folder)!r} is full; free some space and convert again, it goes on from its last checkpoint"
        )
    if (
        isinstance(error, MemoryError)
        or "out of memory" in str(error)
        or "can't allocate memory" in str(error)
    ):
        return TrainingError(
            f"out of memory in training; choose a smaller base model, or free memory: {said}"
        )
    return TrainingError(f"training broke off: {type(error).__name__}: {said}")


def _is_full(error: BaseException, folder: Path) -> bool:
    """Whether the disk is the cause: torch's writer says only that it failed, so the disk is looked at, too."""
    if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT) or "No space left" in str(error):
        return True
    by_torch = any(said in str(error) for said in ("inline_container", "failed writing", "iostream error"))
    return by_torch and shutil.disk_usage(folder).free < _LEAST_ROOM


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0][:300]
