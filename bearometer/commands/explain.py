"""`bearometer explain`: which words made the model say what it says."""

from __future__ import annotations

import sys
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bearometer.commands.model_options import DeviceOption, ModelOption, model_settings
from bearometer.errors import Misconfigured
from bearometer.mention import Label

if TYPE_CHECKING:
    from bearometer.settings import ModelSettings
    from model.explain import Explanation

__all__ = ["register"]

MAX_INPUT_BYTES = 1_000_000


class Method(StrEnum):
    """How the words' weights are found."""

    OCCLUSION = "occlusion"
    GRADIENTS = "integrated-gradients"


class Asked(StrEnum):
    """The label to explain."""

    NEGATIVE = "negative"
    NEUTRAL = "neutral"
    POSITIVE = "positive"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("explain")(explain)


def explain(
    *,
    text: Annotated[str, typer.Argument(help="The text; - reads it from standard input.")],
    entities: Annotated[
        list[str] | None,
        typer.Option("--entity", help="Symbol or name to explain the sentiment of; may be repeated. None: the text's."),
    ] = None,
    label: Annotated[Asked | None, typer.Option(help="What to explain; default: the likeliest label.")] = None,
    method: Annotated[
        Method, typer.Option(help="occlusion works on any weights; integrated-gradients needs torch's, on the CPU.")
    ] = Method.OCCLUSION,
    html: Annotated[Path | None, typer.Option(help="Write a page as well: one file, nothing loaded.")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object a line, one for each entity, instead of colours.")
    ] = False,
    model: ModelOption = None,
    device: DeviceOption = None,
) -> None:
    """Show which words made the model say what it says, of a text or of an entity in it.

    A word's weight is its part of the label's probability: above 0 where it speaks for the label, below 0 where it
    speaks against it. Occlusion asks the model again without the word, and with the word alone; integrated gradients
    (captum; pip install 'bearometer[train]') follow the network's own derivatives. Examples:

    bearometer explain "Tern soars while Ostrava sinks" --entity Tern --entity Ostrava

    bearometer explain "Tern Aviation cuts 900 jobs" --label negative --html why.html
    """
    import orjson

    from bearometer.commands.explain_shown import render_page, show

    text = _read_input() if text == "-" else text
    # What the shell could not decode cannot be printed either.
    asked = [entity.encode("utf-8", "replace").decode("utf-8").strip() for entity in entities or ()]
    if "" in asked:
        message = "--entity is empty; it must be a symbol or a name"
        raise Misconfigured(message)
    ask = _asker(method, model_settings(model, device))
    wanted: Label | None = label.value if label else None
    explanations = [ask(text, entity, wanted) for entity in asked or (None,)]
    for explanation in explanations:
        if as_json:
            typer.echo(orjson.dumps(explanation.to_dict()).decode())
        else:
            show(explanation)
    if html is not None:
        try:
            html.write_text(render_page(explanations), "utf-8")
        except OSError as error:
            message = f"--html {html} cannot be written: {error.strerror}"
            raise Misconfigured(message) from None


def _asker(method: Method, settings: ModelSettings) -> Callable[[str, str | None, Label | None], Explanation]:
    """What explains a text, an entity in it, a label; made once, since loading a model takes seconds."""
    if method is Method.GRADIENTS:
        from model.explain_torch import GradientExplainer
        from model.load import SHIPPED_WEIGHTS

        return GradientExplainer(settings.path or SHIPPED_WEIGHTS, settings.max_tokens).explain
    from model.explain import explain_by_occlusion
    from model.load import load_classifier

    classifier = load_classifier(settings)
    return lambda text, entity, label: explain_by_occlusion(classifier, text, entity, label)


def _read_input() -> str:
    return sys.stdin.buffer.read(MAX_INPUT_BYTES).decode("utf-8", "replace")
