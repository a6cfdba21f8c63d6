"""Text from outside, made safe for a terminal."""

import unicodedata

__all__ = ["plain"]


def plain(text: str, limit: int = 500) -> str:
    """One line without control, format or surrogate characters, cut to `limit` characters.

    A post may hold escape sequences that rewrite the screen, or marks that turn the reading direction.
    """
    kept = "".join(
        " " if character.isspace() else character
        for character in text[: limit * 4]
        if character.isspace() or unicodedata.category(character) not in {"Cc", "Cf", "Cs", "Co", "Cn"}
    )
    line = " ".join(kept.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"
