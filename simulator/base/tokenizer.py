"""The base model's tokenizer: words of small letters are merged, what is copied is spelled out.

Digits, capitals and spaces stand alone. A number, a name, an address or a colour is then the same tokens wherever it
stands, behind a space or behind a quotation mark, and copying one is copying tokens. (With spaces in the words after
them, chats are a quarter shorter, and an adapter that found every name and address in a letter got the colour of the
goods, the first word behind a quotation mark, wrong three times in four.)"""

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
        r"\p{N}{1,2}",
        r"\p{Lu}",
        r"\p{Ll}+",
        r"[^\s\p{L}\p{N}]+",
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
