"""The base model's tokenizer: words of small letters are merged, what is copied is spelled out.

Digits and capitals stand alone, and a space belongs to the word after it only where that is a word by itself. A
number, a name or an address is then the same tokens wherever it stands, and copying one is copying tokens."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import resources
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

PAD: Final = "<|pad|>"
END: Final = "<|end|>"
TOOL_MARKS: Final = ("<tool_call>", "</tool_call>")
"""As vLLM's `hermes` parser expects them."""
_MARKS: Final = (PAD, END, "<|system|>", "<|user|>", "<|assistant|>", "<|tool|>")
_PIECES: Final = "|".join(
    (
        r"\p{N}",
        r"\p{Lu}",
        r" ?\p{Ll}+(?![\p{L}\p{N}_@+]|[.-][\p{L}\p{N}@])",
        r"\p{Ll}+",
        r" ?[^\s\p{L}\p{N}]+",
        r"\s",
    )
)


def train(texts: Iterable[str], vocabulary: int, context: int) -> PreTrainedTokenizerFast:
    """A byte-level BPE of `vocabulary` tokens, with the marks of the chat template."""
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers  # noqa: PLC0415
    from transformers import PreTrainedTokenizerFast  # noqa: PLC0415  (an extra)

    tokenizer = Tokenizer(models.BPE())
    pieces = pre_tokenizers.Split(Regex(_PIECES), "isolated")
    raw = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pieces, raw])
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary - len(TOOL_MARKS),
        special_tokens=list(_MARKS),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.add_tokens([AddedToken(mark, normalized=False) for mark in TOOL_MARKS])
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer,
        pad_token=PAD,
        eos_token=END,
        chat_template=resources.files("simulator.base").joinpath("chat_template.jinja").read_text(),
        model_max_length=context,
        clean_up_tokenization_spaces=False,
    )
