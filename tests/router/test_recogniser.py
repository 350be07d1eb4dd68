"""The recogniser and its bytes: what is known, what is near, what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.decision import Query
from router.encoders.hashed_ngrams import HashedNgrams
from router.fingerprint import Fingerprints
from router.minhash import MinHash
from router.near import Vocabulary, outline_of
from router.recogniser import RecogniserError, decode, encode, learned_of
from router.subtasks import Subtasks
from router.trained import Learned, TrainedRecogniser

CLERK = (
    "You are Parcel Clerk.\nYou work for a carrier.\nAnswer questions about parcels.\nBe kind.\nStay brief."
)
SORTER = "You are Mail Sorter. You sort mail by topic."


def query(system: str, user: str = "Where is it?", **more: Any) -> Query:
    messages = [{"role": "system", "content": system}, {"role": "user", "content": user}]
    return Query("chat.completions", {"messages": messages, **more}, 0)


def learned(*, boilerplate: frozenset[int] = frozenset()) -> Learned:
    """One known prompt of one task, and a broad one with two sub-tasks."""
    read, vocabulary = Fingerprints().read, Vocabulary(boilerplate)
    clerk, sorter = read(query(CLERK)), read(query(SORTER))
    vectors = HashedNgrams(64).encode(["is it spam", "which department"])
    subtasks = Subtasks(("mail/spam", "mail/department"), vectors, np.array([0.5, 0.5], np.float32))
    return Learned(
        targets=("parcels", subtasks),
        keys={clerk.key: 0, sorter.key: 1},
        outlines=(
            (outline_of(clerk, vocabulary, MinHash()), 0),
            (outline_of(sorter, vocabulary, MinHash()), 1),
        ),
        vocabulary=vocabulary,
        encoder="hashed-ngrams-64",
        version="v1",
    )


@pytest.fixture
def recogniser() -> TrainedRecogniser:
    return decode(encode(learned()), HashedNgrams(64))


def test_a_known_fingerprint(recogniser: TrainedRecogniser) -> None:
    found = recogniser.recognise(query(CLERK, "Anything"))
    assert found is not None
    assert (found.task, found.how) == ("parcels", "fingerprint")


@pytest.mark.parametrize(
    "system",
    [
        CLERK.replace("Stay brief.", "Be short."),
        CLERK + "\nNever tell a price.",
        CLERK.replace("\nBe kind.", ""),
    ],
)
def test_a_near_match(recogniser: TrainedRecogniser, system: str) -> None:
    found = recogniser.recognise(query(system))
    assert found is not None
    assert (found.task, found.how) == ("parcels", "near")


@pytest.mark.parametrize(
    "unknown",
    [
        query(
            "You are Travel Clerk.\nYou work for a carrier.\nAnswer questions about parcels.\nBe kind.\nStay brief."
        ),
        query(
            "You are Parcel Clerk.\n"
            + "\n".join(f"Rule {letter}: {letter * 5}." for letter in "abcdefghijkl")
        ),
        query(CLERK, response_format={"type": "json_object"}),
        query("You are a helpful assistant."),
        query(""),
        Query("chat.completions", {}, 0),
        Query("other", query(CLERK).body, 0),
        Query("responses", query(CLERK).body, 0),
    ],
)
def test_unknown(recogniser: TrainedRecogniser, unknown: Query) -> None:
    assert recogniser.recognise(unknown) is None


def test_subtasks_by_the_last_human_text(recogniser: TrainedRecogniser) -> None:
    found = recogniser.recognise(query(SORTER, "is it spam"))
    assert found is not None
    assert (found.task, found.how) == ("mail/spam", "classifier")
    assert 0.5 <= found.confidence <= 1


@pytest.mark.parametrize("said", ["", "zzz qqq", "Erzähl mir einen Witz über Katzen!"])
def test_texts_like_no_subtask_are_rejected(recogniser: TrainedRecogniser, said: str) -> None:
    assert recogniser.recognise(query(SORTER, said)) is None


@pytest.mark.parametrize("encoder", [None, HashedNgrams(128)])
def test_without_the_right_encoder_subtasks_are_unknown(encoder: HashedNgrams | None) -> None:
    found = decode(encode(learned()), encoder)
    assert found.recognise(query(SORTER, "is it spam")) is None
    assert found.recognise(query(CLERK)) is not None


def test_nothing_learned_yet() -> None:
    found = TrainedRecogniser()
    assert found.version == ""
    assert found.recognise(query(CLERK)) is None


def test_bytes_are_the_same_for_the_same(recogniser: TrainedRecogniser) -> None:
    data = encode(learned())
    assert encode(learned_of(data)) == data
    assert recogniser.version == "v1"
    assert recogniser.tasks == ("parcels", "mail/spam", "mail/department")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "no recogniser"),
        (b"PK\x03\x04", "no recogniser"),
        (encode(learned())[:-1], "corrupt"),
        (encode(learned())[:60], "corrupt"),
    ],
)
def test_bytes_that_are_refused(data: bytes, message: str) -> None:
    with pytest.raises(RecogniserError, match=message):
        decode(data)


def test_a_changed_byte_is_refused() -> None:
    data = bytearray(encode(learned()))
    data[len(data) // 2] ^= 1
    with pytest.raises(RecogniserError, match="corrupt"):
        decode(bytes(data))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda children: (
        st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=10), children, max_size=4)
    ),
    max_leaves=12,
)


@given(JSON, JSON, JSON)
def test_never_raises(messages: Any, tools: Any, response_format: Any) -> None:
    found = decode(encode(learned()), HashedNgrams(64))
    body = {"messages": messages, "tools": tools, "response_format": response_format}
    assert found.recognise(Query("chat.completions", body, 0)) is None


@given(st.binary(max_size=400))
def test_any_bytes_are_refused_politely(data: bytes) -> None:
    with pytest.raises(RecogniserError):
        decode(data)
