"""How good the linker is, on texts whose companies are known: counts, and what was wrong."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from bearometer.errors import Failed
from bearometer.linker import Linker
from bearometer.linking import find_spans

__all__ = ["Measured", "Wrong", "measure"]


@dataclass(frozen=True, slots=True)
class Wrong:
    """A text whose companies were not those that it names."""

    text: str
    missed: tuple[str, ...]
    invented: tuple[str, ...]


@dataclass(slots=True)
class Measured:
    """What was found of what is there, and how much of what was found is there."""

    texts: int = 0
    named: int = 0
    """Companies that the rows name, each once a text; of entities, those whose name the gazetteer has."""
    unknown: int = 0
    """Entities whose name the gazetteer does not have: not asked for."""
    found: int = 0
    """Of `named`."""
    linked: int = 0
    """Companies that the linker found; of entities, places."""
    right: int = 0
    """Of `linked`."""
    wrong: list[Wrong] = field(default_factory=list)

    @property
    def recall(self) -> float:
        """1 when nothing is there."""
        return self.found / self.named if self.named else 1.0

    @property
    def precision(self) -> float:
        """1 when nothing was found."""
        return self.right / self.linked if self.linked else 1.0


def measure(rows: Iterable[tuple[int, Mapping[str, Any]]], linker: Linker) -> Measured:
    """Count over rows with their line numbers; raises Failed, naming the line, for one of neither form.

    `{"text", "symbols"}`: exactly these companies are named, each counts once. `{"title", "decisions": {entity: ...}}`,
    the form of SEntFiN, whose entities are names and not only of companies: a name that the gazetteer has is asked for;
    and a place that was linked is right if it touches any of the entities, or is their company by another name.
    """
    measured = Measured()
    for number, row in rows:
        text = row.get("text", row.get("title"))
        if not isinstance(text, str):
            message = f"line {number}: `text` (or `title`) must be a string"
            raise Failed(message)
        measured.texts += 1
        if isinstance(symbols := row.get("symbols"), list):
            _count_symbols(measured, text, symbols, linker)
        elif isinstance(entities := row.get("decisions"), dict):
            _count_entities(measured, text, entities, linker)
        else:
            message = f"line {number}: it must have `symbols`, a list, or `decisions`, an object with a key per entity"
            raise Failed(message)
    return measured


def _count_symbols(measured: Measured, text: str, symbols: Iterable[str], linker: Linker) -> None:
    named, linked = dict.fromkeys(symbols), dict.fromkeys(linker.symbols(text))
    right = [symbol for symbol in linked if symbol in named]
    measured.named += len(named)
    measured.found += len(right)
    measured.linked += len(linked)
    measured.right += len(right)
    _note(measured, text, (one for one in named if one not in linked), (one for one in linked if one not in named))


def _count_entities(measured: Measured, text: str, entities: Iterable[str], linker: Linker) -> None:
    links = linker.find(text)
    linked = {link.symbol for link in links}
    known = {entity: linker.symbol_of(entity) for entity in entities}
    places = [span for entity in known for span in find_spans(text, entity)]
    symbols = set(known.values())
    asked = {entity: symbol for entity, symbol in known.items() if symbol is not None}
    measured.named += len(asked)
    measured.unknown += len(known) - len(asked)
    measured.found += sum(symbol in linked for symbol in asked.values())
    invented = [
        f"{link.symbol} ({text[slice(*link.span)]})"
        for link in links
        if link.symbol not in symbols and not any(link.span[0] < end and start < link.span[1] for start, end in places)
    ]
    measured.linked += len(links)
    measured.right += len(links) - len(invented)
    _note(measured, text, (entity for entity, symbol in asked.items() if symbol not in linked), invented)


def _note(measured: Measured, text: str, missed: Iterator[str], invented: Iterable[str]) -> None:
    wrong = Wrong(text, tuple(missed), tuple(invented))
    if wrong.missed or wrong.invented:
        measured.wrong.append(wrong)
