"""`bearometer hydrate`: labels that are kept by digest, put back to their texts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bearometer.errors import Failed, Misconfigured
from bearometer.terminal import plain
from bearometer.whole_file import written_whole

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("hydrate")(hydrate)


def hydrate(
    labels: Annotated[Path, typer.Argument(metavar="LABELS.csv", help="digest,label,entities.")],
    texts: Annotated[Path, typer.Argument(metavar="TEXTS", help="The texts: CSV, JSONL or plain text, .gz or not.")],
    output: Annotated[Path, typer.Option("--output", metavar="OUT.jsonl", help="What to write; it is replaced.")],
) -> None:
    """Put labels back to the texts they were given to, for `train` and `evaluate` (task `posts`).

    Posts may often not be handed on, and labels of them may: they are kept by the first 16 hex digits of the SHA-256
    of each text, in UTF-8 and without its line's end. `label` is negative, neutral or positive; `entities` is empty
    where all companies are spoken of alike, or such as AAPL=positive INTC=negative. Those of the tweets that the
    shipped model learnt from come with Bearometer. Example:

    bearometer hydrate model/recipes/stocknet_labels.csv data/stocknet_texts.txt.gz --output data/stocknet_posts.jsonl
    """
    import orjson

    from bearometer.mention import LABELS
    from model.annotations import match_annotations, read_annotations
    from model.dataset import read_examples

    if output.suffix != ".jsonl" or output.resolve() in (labels.resolve(), texts.resolve()):
        message = f"--output is {plain(str(output))}; it must end in .jsonl, and be neither of the inputs"
        raise Misconfigured(message)
    known = read_annotations(labels)
    found = list(match_annotations(known, (example.text for example in read_examples(texts, "texts"))))
    if not found:
        message = f"none of the {len(known):,} labels of {labels} is of a text in {texts}, to the letter"
        raise Failed(message)
    rows = (
        {
            "text": text,
            "label": LABELS[each.label],
            "entities": {name: LABELS[label] for name, label in each.entities},
        }
        for text, each in found
    )
    with written_whole(output) as part, part.open("wb") as file:
        file.writelines(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in rows)
    typer.echo(f"{len(found):,} of {len(known):,} labels put to their texts: {plain(str(output))}")
