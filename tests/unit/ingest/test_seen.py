from hypothesis import given
from hypothesis import strategies as st

from ingest.seen import Seen


@given(st.lists(st.text(max_size=5), max_size=50))
def test_a_key_is_new_once_also_after_a_restart(keys: list[str]) -> None:
    seen = Seen()
    assert [key for key in keys if seen.add(key)] == list(dict.fromkeys(keys))
    later = Seen()
    later.load(seen.stored())
    assert not any(later.add(key) for key in keys)


def test_what_is_stored_are_the_last_two_thousand_in_less_than_half_a_cursor() -> None:
    seen = Seen()
    for number in range(60_000):
        seen.add(str(number))
    stored = seen.stored()
    assert len(stored) == 2_000
    assert sum(len(digest) + 3 for digest in stored) < 32_000
    later = Seen()
    later.load([*stored, 7, None])
    assert "59999" in later
    assert "57999" not in later
    assert "0" not in seen


def test_a_key_that_comes_again_is_the_newest() -> None:
    seen = Seen()
    for number in range(2_000):
        seen.add(str(number))
    seen.add("0")
    seen.add("next")
    later = Seen()
    later.load(seen.stored())
    assert "0" in later
    assert "1" not in later
