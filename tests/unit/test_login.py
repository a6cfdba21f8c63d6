import getpass

import pytest

from bearometer.commands.login import find_person
from bearometer.errors import Misconfigured


def test_what_is_given_counts_and_without_it_the_login_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(getpass, "getuser", lambda: "ann")
    assert find_person("bob") == "bob"
    assert find_person(None) == "ann"


def test_a_name_is_one_line_without_what_could_move_a_terminal() -> None:
    assert find_person(" ann\x1b[2J\nlee ") == "ann[2J lee"
    assert len(find_person("x" * 300)) == 100


def test_nobody_is_told_how_to_say_who_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    def nameless() -> str:
        raise KeyError

    monkeypatch.setattr(getpass, "getuser", nameless)
    for given in (None, "", " \x1b"):
        with pytest.raises(Misconfigured, match="--who"):
            find_person(given)
