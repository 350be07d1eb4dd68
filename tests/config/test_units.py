from __future__ import annotations

import pytest
from pydantic_core import PydanticCustomError

from config.units import seconds, share, size


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("2s", 2),
        ("500ms", 0.5),
        ("1.5m", 90),
        ("12h", 43_200),
        ("30d", 2_592_000),
        ("2w", 1_209_600),
        (" 2 s ", 2),
        (3, 3),
        (0.25, 0.25),
        ("4", 4),
        (1e-7, 1e-7),
    ],
)
def test_durations(written: object, value: float) -> None:
    assert seconds(written) == pytest.approx(value)


@pytest.mark.parametrize(
    ("written", "value"), [("25%", 0.25), ("0.5%", 0.005), (1, 1), (0, 0), ("0.02", 0.02)]
)
def test_shares(written: object, value: float) -> None:
    assert share(written) == pytest.approx(value)


@pytest.mark.parametrize(
    ("written", "value"), [("8MiB", 8 * 2**20), ("1KB", 1000), ("1.5KiB", 1536), (7, 7), ("12B", 12)]
)
def test_sizes(written: object, value: int) -> None:
    assert size(written) == value


@pytest.mark.parametrize(
    "written", ["", "s", "2 years", "-2s", -1, True, None, [2], "2s3s", "1e400", float("nan")]
)
def test_what_is_no_duration(written: object) -> None:
    with pytest.raises(PydanticCustomError, match="is not a duration"):
        seconds(written)


@pytest.mark.parametrize("percent", range(101))
def test_a_percentage_is_exactly_its_share(percent: int) -> None:
    assert share(f"{percent}%") == percent / 100


@pytest.mark.parametrize("written", ["101%", 1.01, "2"])
def test_shares_beyond_the_whole(written: object) -> None:
    with pytest.raises(PydanticCustomError, match="more than 100%"):
        share(written)


@pytest.mark.parametrize("written", ["8mib", "8 MiBs", "x", False])
def test_what_is_no_size(written: object) -> None:
    with pytest.raises(PydanticCustomError, match="is not a size"):
        size(written)
