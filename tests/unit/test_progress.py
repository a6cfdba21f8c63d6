import pytest

from bearometer.progress import Progress, count_missing


@pytest.mark.parametrize(
    ("stored", "next_offsets", "missing"),
    [
        ({}, {}, 0),
        ({}, {0: 3, 1: 2}, 5),
        ({0: 3}, {0: 3, 1: 2}, 2),
        ({0: 1, 1: 2}, {0: 3, 1: 2}, 2),
        ({0: 9, 1: 2}, {0: 3, 1: 2}, 0),  # others publish too: what lies beyond makes up for nothing
        ({0: 9}, {0: 3, 1: 2}, 2),
        ({5: 9}, {0: 3}, 3),
    ],
)
def test_missing_is_what_lies_before_the_offsets_and_is_not_stored(
    stored: dict[int, int], next_offsets: dict[int, int], missing: int
) -> None:
    progress = [Progress("posts", partition, offset, None) for partition, offset in stored.items()]
    assert count_missing(progress, next_offsets) == missing
