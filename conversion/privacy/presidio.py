"""Names, places and papers of people, as Microsoft's presidio finds them (extra `privacy`); it is imported here alone."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import entry_points
from typing import Any, Final, Protocol

from conversion.privacy.recogniser import Found, Kind

INSTALL: Final = "pip install 'understudy[privacy]'"

_KINDS: Final[Mapping[str, Kind]] = {
    "PERSON": "person",
    "LOCATION": "place",
    "CRYPTO": "identifier",
    "MEDICAL_LICENSE": "identifier",
    "UK_NHS": "identifier",
    "US_DRIVER_LICENSE": "identifier",
    "US_PASSPORT": "identifier",
}
_SURE: Final = 0.5
_WORD: Final = re.compile(r"[^\W\d_]{2,}")
_LONGEST: Final = 100_000
"""Characters of a text that are looked at; models of language take memory for each."""


class PresidioMissing(Exception):
    """presidio, or a model of language for it, is not installed; the message says what to install."""


class _Analyzer(Protocol):
    def analyze(
        self,
        text: str,
        language: str,
        entities: list[str] | None = None,
        correlation_id: str | None = None,
        score_threshold: float | None = None,
    ) -> Iterable[Any]: ...


class Presidio:
    """Finds what presidio finds; names of people word by word, so that a first name alone has the same pseudonym."""

    def __init__(self, analyzer: _Analyzer, language: str = "en") -> None:
        self._analyzer = analyzer
        self._language = language

    @classmethod
    def load(cls, language: str = "en") -> Presidio:
        """With the first spaCy model of the language that is installed; nothing is downloaded. Raises PresidioMissing."""
        if importlib.util.find_spec("presidio_analyzer") is None:
            raise PresidioMissing(f"names and places are not recognised: {INSTALL}")
        model = next((each for each in models() if each.startswith(f"{language}_")), None)
        if model is None:
            raise PresidioMissing(
                f"names and places are not recognised: presidio has no spaCy model for {language!r}; "
                f"python -m spacy download {language}_core_web_sm"
            )
        return cls(_engine(language, model), language)

    def find(self, text: str) -> Iterator[Found]:
        """Findings, the surest first."""
        findings = self._analyzer.analyze(
            text[:_LONGEST], language=self._language, entities=list(_KINDS), score_threshold=_SURE
        )
        for finding in sorted(findings, key=lambda each: -each.score):
            kind = _KINDS[finding.entity_type]
            if kind != "person":
                yield Found(finding.start, finding.end, kind)
                continue
            for word in _WORD.finditer(text, finding.start, finding.end):
                yield Found(word.start(), word.end(), "person")


def models() -> tuple[str, ...]:
    """Names of the spaCy models that are installed."""
    return tuple(sorted(each.name for each in entry_points(group="spacy_models")))


def _engine(language: str, model: str) -> _Analyzer:
    from presidio_analyzer import AnalyzerEngine  # noqa: PLC0415  (an extra, and slow to import)
    from presidio_analyzer.nlp_engine import NlpEngineProvider  # noqa: PLC0415

    configuration = {"nlp_engine_name": "spacy", "models": [{"lang_code": language, "model_name": model}]}
    nlp = NlpEngineProvider(nlp_configuration=configuration).create_engine()
    engine: _Analyzer = AnalyzerEngine(nlp_engine=nlp, supported_languages=[language])
    return engine
