"""Trains the base model: next-token prediction on the answers of made-up chats, from scratch, on the CPU or a GPU."""

from __future__ import annotations

import json
import math
import os
import random
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from simulator.base import tokenizer as tokenizers
from simulator.base.corpus import Chat, chats
from simulator.base.recipe import Recipe

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerFast

Progress = Callable[[int, int], None]
"""Called with steps done and steps in all."""

_SORTED_BATCHES: Final = 8
"""Batches that are cut from one pool sorted by length, so that little padding is computed."""
_IGNORED: Final = -100
_LEAST_WEIGHT: Final = 0.1
"""In the loss, of a token that is quite sure."""
_ASSISTANT: Final = "<|assistant|>"
_TURN: Final = re.compile(rf"<\|.*?{re.escape(tokenizers.END)}", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Tokens:
    """A chat as tokens, and whether the assistant says each."""

    ids: Sequence[int]
    spoken: Sequence[bool]


def base_model(cache: Path, progress: Progress, recipe: Recipe) -> Path:
    """The folder of the recipe's model in a cache; trained first when it is not there."""
    folder = cache / f"base-{recipe.digest()}"
    if (folder / "config.json").exists():
        return folder
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix=".base-") as work:
        train(Path(work), progress, recipe)
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(work, folder)
        Path(work).mkdir()  # the context manager removes it
    return folder


def train(folder: Path, progress: Progress, recipe: Recipe) -> None:
    """Train a base model and save it, its tokenizer and its loss curve to a folder."""
    import torch  # noqa: PLC0415  (an extra)

    torch.manual_seed(recipe.seed)
    tokenizer = tokenizers.train(_texts(recipe), recipe.vocabulary, recipe.context)
    model = _model(recipe, tokenizer)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model.to(device).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=recipe.rate, betas=(0.9, 0.98), weight_decay=0.01)
    losses = []
    for step, batch in enumerate(islice(_batches(tokenizer, recipe), recipe.steps)):
        for group in optimizer.param_groups:
            group["lr"] = recipe.rate * _schedule(step, recipe.steps)
        loss = _loss(model, {name: value.to(device) for name, value in batch.items()})
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        losses.append(round(float(loss.detach()), 5))
        progress(step + 1, recipe.steps)
    model.to("cpu").eval()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    (folder / "recipe.json").write_text(json.dumps(asdict(recipe) | {"losses": losses}, indent=1))


def _texts(recipe: Recipe) -> Iterator[str]:
    """What the tokenizer learns its merges from: the chats' contents."""
    for chat in islice(chats(recipe.seed + 1), recipe.tokenizer_chats):
        for message in chat.messages:
            yield message["content"] or json.dumps(message["tool_calls"][0]["function"])


def _model(recipe: Recipe, tokenizer: PreTrainedTokenizerFast) -> Any:
    from transformers import LlamaConfig, LlamaForCausalLM  # noqa: PLC0415  (an extra)

    from simulator.base.birth import born  # noqa: PLC0415  (needs torch)

    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=recipe.vocabulary,
            hidden_size=recipe.hidden,
            intermediate_size=recipe.feed_forward,
            num_hidden_layers=recipe.layers,
            num_attention_heads=recipe.heads,
            num_key_value_heads=recipe.heads,
            max_position_embeddings=recipe.context,
            tie_word_embeddings=True,
            bos_token_id=None,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
            rms_norm_eps=1e-5,
            rope_parameters={"rope_theta": recipe.rotation, "rope_type": "default"},
        )
    )
    born(model, recipe.seed)
    return model


def _schedule(step: int, steps: int) -> float:
    """Warm up over 5%, hold, and fall to a twentieth over the last half."""
    rise, fall = max(1, steps // 20), max(1, steps // 2)
    left = (steps - step) / fall
    return min((step + 1) / rise, 1.0, 0.05 + 0.95 * (0.5 - 0.5 * math.cos(math.pi * min(left, 1.0))))


def _loss(model: Any, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    """Cross-entropy of the tokens that are said, weighted by what is missing of their probability (Lin et al., 2017). Nine
    in ten are copied and soon sure; without weights the one that says what a letter is about is never learned."""
    import torch  # noqa: PLC0415  (an extra)

    labels = batch.pop("labels")
    hidden = model.model(**batch).last_hidden_state[:, :-1]
    wanted = labels[:, 1:]
    spoken = wanted != _IGNORED
    losses = torch.nn.functional.cross_entropy(
        model.lm_head(hidden[spoken]), wanted[spoken], reduction="none"
    )
    weights = 1 - torch.exp(-losses.detach()) + _LEAST_WEIGHT
    return (weights * losses).sum() / weights.sum()


def _batches(tokenizer: PreTrainedTokenizerFast, recipe: Recipe) -> Iterator[dict[str, torch.Tensor]]:
    import torch  # noqa: PLC0415  (an extra)

    rng = random.Random(recipe.seed)  # noqa: S311  (order, not secrets)
    source = (
        tokens
        for tokens in (encoded(tokenizer, chat) for chat in chats(recipe.seed))
        if len(tokens.ids) <= recipe.longest
    )
    while True:
        pool = sorted(islice(source, recipe.batch * _SORTED_BATCHES), key=lambda tokens: len(tokens.ids))
        batches = [pool[at : at + recipe.batch] for at in range(0, len(pool), recipe.batch)]
        rng.shuffle(batches)
        for batch in batches:
            yield _padded(batch, tokenizer.pad_token_id, torch)


def encoded(tokenizer: PreTrainedTokenizerFast, chat: Chat) -> Tokens:
    """A chat's tokens by the chat template, and which of them the assistant says."""
    tools: list[Any] | None = [dict(tool) for tool in chat.tools] or None
    text = str(tokenizer.apply_chat_template(list(chat.messages), tools=tools, tokenize=False))
    ids: list[int] = []
    spoken: list[bool] = []
    for part in _TURN.findall(text):
        tokens = tokenizer.encode(part, add_special_tokens=False)
        ids += tokens
        spoken += [part.startswith(_ASSISTANT)] * len(tokens)
        if spoken[-1]:
            spoken[-len(tokens)] = False
    return Tokens(ids, spoken)


def _padded(batch: Sequence[Tokens], pad: int, torch: Any) -> dict[str, torch.Tensor]:
    """Rows of equal length. There is no mask: padding stands behind what a causal model looks at."""
    width = max(len(tokens.ids) for tokens in batch)
    rows = [[*tokens.ids, *[pad] * (width - len(tokens.ids))] for tokens in batch]
    labels = [
        [token if said else _IGNORED for token, said in zip(tokens.ids, tokens.spoken, strict=True)]
        + [_IGNORED] * (width - len(tokens.ids))
        for tokens in batch
    ]
    return {"input_ids": torch.tensor(rows), "labels": torch.tensor(labels)}
