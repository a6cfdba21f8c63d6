"""What `--dry-run` shows: the posts that would be published, and what is wrong with the rest."""

from typing import TYPE_CHECKING

import typer

from bearometer.terminal import plain

if TYPE_CHECKING:
    from collections import Counter

    from bearometer.clock import Clock
    from bearometer.errors import Reason
    from bearometer.settings import IngestSettings
    from ingest.source import Source, Unreadable

__all__ = ["Complaints", "rehearse"]


class Complaints:
    """Says of each rejected row, or of the first `most`, where it lies and what is wrong with it."""

    def __init__(self, most: int | None = 20) -> None:
        self._most = most
        self._said = 0

    def __call__(self, row: "Unreadable") -> None:
        """Say it, on standard error."""
        self._said += 1
        if self._most is None or self._said <= self._most:
            detail = f": {plain(row.detail, 200)}" if row.detail else ""
            typer.echo(f"{plain(row.position)}: {row.reason}{detail}", err=True)
        elif self._said == self._most + 1:
            typer.echo("… more rows are rejected; they are counted and not shown", err=True)


def rehearse(
    source: "Source",
    settings: "IngestSettings",
    clock: "Clock",
    complain: Complaints,
    *,
    shown: int | None = None,
) -> "tuple[int, Counter[Reason]]":
    """Read and normalise everything, print the posts (the first `shown`), publish nothing; gives posts and rejects."""
    from collections import Counter

    from bearometer.errors import Reason
    from bearometer.post import Post
    from ingest.normalise import normalise_all

    posts, reasons = 0, Counter[Reason]()
    for item in normalise_all(source, settings, clock):
        if not isinstance(item, Post):
            reasons[item.reason] += 1
            complain(item)
            continue
        posts += 1
        if shown is None or posts <= shown:
            symbols = ", ".join(item.symbols) or "no symbol"
            typer.echo(
                f"{item.published_at:%Y-%m-%d %H:%M:%S}  {plain(item.id, 60)}  [{symbols}]  {plain(item.text, 120)}"
            )
    return posts, reasons
