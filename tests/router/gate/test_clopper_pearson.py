from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.gate.clopper_pearson import certify, lower_bound, upper_bound
from router.gate.incomplete_beta import beta_quantile, incomplete_beta

counts = st.integers(0, 3000).flatmap(lambda whole: st.tuples(st.integers(0, whole), st.just(whole)))
levels = st.floats(1e-6, 0.5)


@given(st.floats(0.1, 1e5), st.floats(0.1, 1e5), st.floats(0, 1))
def test_incomplete_beta_is_scipys(a: float, b: float, x: float) -> None:
    special = pytest.importorskip("scipy.special")
    assert incomplete_beta(a, b, x) == pytest.approx(special.betainc(a, b, x), rel=1e-7, abs=1e-10)


@given(counts, levels)
def test_bounds_are_scipys(part: tuple[int, int], alpha: float) -> None:
    special = pytest.importorskip("scipy.special")
    successes, trials = part
    low = special.betaincinv(successes, trials - successes + 1, alpha) if successes else 0.0
    assert lower_bound(successes, trials, alpha) == pytest.approx(low, abs=1e-9)
    high = 1 - lower_bound(trials - successes, trials, alpha)
    assert upper_bound(successes, trials, alpha) == pytest.approx(high, abs=1e-12)


@given(counts, levels)
def test_bounds_enclose_what_was_seen(part: tuple[int, int], alpha: float) -> None:
    successes, trials = part
    seen = successes / trials if trials else 0.5
    assert lower_bound(successes, trials, alpha) <= seen <= upper_bound(successes, trials, alpha)


@given(counts, levels)
def test_one_more_agreement_never_lowers_the_bound(part: tuple[int, int], alpha: float) -> None:
    successes, trials = part
    assert lower_bound(successes + 1, trials + 1, alpha) >= lower_bound(successes, trials, alpha) - 1e-12


@given(st.floats(0.5, 100), st.floats(0.5, 100), st.floats(0.01, 0.99))
def test_quantile_inverts(a: float, b: float, probability: float) -> None:
    assert incomplete_beta(a, b, beta_quantile(a, b, probability)) == pytest.approx(probability, abs=1e-6)


@pytest.mark.parametrize(
    ("successes", "trials", "candidates", "certified"),
    [(58, 58, 1, False), (59, 59, 1, True), (59, 59, 2, False), (990, 1000, 10, True), (0, 0, 1, False)],
)
def test_the_offline_gate(successes: int, trials: int, candidates: int, certified: bool) -> None:
    verdict = certify(successes, trials, target=0.95, confidence=0.95, candidates=candidates)
    assert verdict.certified is certified
    assert f"{successes} of {trials}" in verdict.sentence


@given(st.integers(1, 400), st.floats(0.01, 1))
def test_a_part_of_the_level_is_a_lower_level(trials: int, share: float) -> None:
    verdict = certify(trials, trials, 0.95, 0.95, candidates=4, share=share)
    assert verdict.lower == pytest.approx(lower_bound(trials, trials, 0.05 * share))
    assert f"{share:.1%} of the level for this one" in verdict.sentence


@pytest.mark.parametrize("share", [0.0, -0.1, 1.1])
def test_no_part_of_the_level(share: float) -> None:
    with pytest.raises(ValueError, match="share"):
        certify(1, 1, 0.9, 0.9, 2, share)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [((3, 2, 0.9, 0.9, 1), "3 of 2"), ((1, 2, 1.0, 0.9, 1), "target"), ((1, 2, 0.9, 0.9, 0), "candidates")],
)
def test_bad_numbers_are_named(arguments: tuple[int, int, float, float, int], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        certify(*arguments)


def test_the_incomplete_beta_refuses_what_it_does_not_cover() -> None:
    with pytest.raises(ValueError, match="above 0"):
        incomplete_beta(0, 1, 0.5)
