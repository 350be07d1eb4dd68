"""presidio behind the seam: its findings as ours; without a model of language the remedy is named."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from conversion.example import Example
from conversion.privacy.presidio import Presidio, PresidioMissing, models
from conversion.privacy.pseudonyms import Pseudonyms
from conversion.privacy.surrogates import Surrogates
from conversion.privacy.veil import recognisers, unveiled, veiled
from wire.answer import Answer

presidio = pytest.importorskip(
    "presidio_analyzer", reason="presidio is not installed: pip install 'understudy[privacy]'"
)


@pytest.fixture
def analyzer() -> Any:
    """presidio's own engine with a recogniser of its own kind for three names, on a pipeline without a model."""
    spacy = pytest.importorskip("spacy")
    nlp_engine = pytest.importorskip("presidio_analyzer.nlp_engine")
    nlp = nlp_engine.SpacyNlpEngine(models=[{"lang_code": "en", "model_name": "blank"}])
    nlp.nlp = {"en": spacy.blank("en")}
    names = presidio.PatternRecognizer(supported_entity="PERSON", deny_list=["Ana Lopez", "Ana"])
    places = presidio.PatternRecognizer(supported_entity="LOCATION", deny_list=["New York"])
    registry = presidio.RecognizerRegistry(recognizers=[names, places], supported_languages=["en"])
    return presidio.AnalyzerEngine(nlp_engine=nlp, registry=registry, supported_languages=["en"])


def test_names_are_found_word_by_word_and_places_as_a_whole(analyzer: Any) -> None:
    text = "Ana Lopez lives in New York."
    found = [(each.kind, text[each.start : each.end]) for each in Presidio(analyzer).find(text)]
    assert sorted(set(found)) == [("person", "Ana"), ("person", "Lopez"), ("place", "New York")]


def test_a_first_name_alone_has_the_surrogate_that_it_has_in_the_full_name(analyzer: Any) -> None:
    example = Example(
        "id", "s", 1, "chat.completions",
        {"messages": [{"role": "user", "content": "I am Ana Lopez of New York."}]},
        Answer("Dear Ana, greetings to New York."),
    )  # fmt: skip
    hidden = veiled(example, Pseudonyms(b"k" * 32, recognisers([Presidio(analyzer)])))
    assert "Ana" not in str(hidden)
    shown = unveiled(hidden, Surrogates("0"))
    first, last, town = _between(shown.request["messages"][0]["content"], "I am ", " ", " of ", ".")
    assert (first, last) != ("Ana", "Lopez")
    assert shown.answer.text == f"Dear {first}, greetings to {town}."


def test_without_a_model_of_language_the_remedy_is_named() -> None:
    if any(model.startswith("en_") for model in models()):
        assert list(Presidio.load().find("nothing to find here")) == []
        return
    with pytest.raises(PresidioMissing, match="python -m spacy download en_core_web_sm"):
        Presidio.load()


def _between(text: str, *marks: str) -> Iterable[str]:
    return list(_parts(text, marks))


def _parts(text: str, marks: tuple[str, ...]) -> Iterator[str]:
    rest = text.removeprefix(marks[0])
    for mark in marks[1:]:
        part, _, rest = rest.partition(mark)
        yield part
