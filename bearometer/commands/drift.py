"""`bearometer drift`: whether the posts of these days are still like the texts that the model has learnt from."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bearometer.commands.model_options import ModelOption, model_settings
from bearometer.errors import Failed
from bearometer.terminal import plain

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bearometer.settings import Settings
    from model.drift import Shift
    from model.profile import Profile, Survey

__all__ = ["drift", "register", "write_profile"]

DRIFTED = 3
"""Exit code."""
BATCH = 256
ENOUGH = 500
"""So many texts that the model has not been trained on tell how it scores; with fewer of them all texts are scored."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("drift")(drift)


def drift(
    *,
    days: Annotated[float, typer.Option(min=0.01, help="Posts stored in the last so many days.")] = 7.0,
    rows: Annotated[int, typer.Option(min=100, help="Distinct texts to look at, at most; an even sample.")] = 20_000,
    model: ModelOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of lines.")] = False,
    profile_of: Annotated[
        list[Path] | None,
        typer.Option(
            help="Make the profile instead: the files that the model of --model was trained on; may be repeated.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Compare the scores, lengths, words and topics of recent posts with those of the training data.

    The training data's profile lies beside the weights (profile.json: counts, no texts). Two measures: the population
    stability index (0.1 is worth watching, 0.25 is drift), and for words the Jensen-Shannon divergence (0.03 and 0.07);
    what may be chance is not reported. Each text counts once. Scores and topics are those of the model that the profile
    was made with: texts that another one scored count for their length and words alone, and where fewer than 100 are
    left, as after a promotion, scores and topics are not compared. Exit code 3 when something has drifted.

    Example: bearometer drift --days 7

    Example, after a training of your own: bearometer drift --model runs/mine --profile-of tweets.csv
    """
    from bearometer.settings import load_settings

    if profile_of:
        write_profile(profile_of, model)
        return
    drifted = _report(load_settings(), model, days, rows, as_json)
    if drifted:
        raise typer.Exit(DRIFTED)


def write_profile(files: Sequence[Path], model: Path | None) -> None:
    """Count the files' texts, each once, and write the profile beside the weights.

    Lengths and words are those of all texts. Scores and topics are those of the development split, which the model was
    not trained on: of what it knows by heart it is surer than of anything that will come.
    """
    from bearometer.commands.model_progress import rows_progress
    from model.classifier import Passage
    from model.dataset import is_development, read_examples
    from model.folder import TOKENIZER_FILE, ModelFolder, digest_of
    from model.load import SHIPPED_WEIGHTS, load_classifier
    from model.profile import PROFILE_FILE

    settings = model_settings(model, None)
    folder = ModelFolder.open(settings.path or SHIPPED_WEIGHTS)
    texts = list(dict.fromkeys(example.text for file in files for example in read_examples(file, "texts")))
    held_back = [text for text in texts if is_development(text)]
    judged = held_back if len(held_back) >= ENOUGH else texts
    survey = _survey(folder.path, folder.max_tokens)
    classifier = load_classifier(settings)
    with rows_progress("counting", len(texts) + len(judged)) as on_rows:
        for start in range(0, len(texts), BATCH):
            survey.read(texts[start : start + BATCH])
            on_rows(len(texts[start : start + BATCH]))
        for start in range(0, len(judged), BATCH):
            passages = [Passage(text) for text in judged[start : start + BATCH]]
            for judgement in classifier.classify(classifier.prepare(passages)):
                if judgement is not None:
                    survey.judge(judgement.sentiment.positive - judgement.sentiment.negative, judgement.topic)
            on_rows(len(passages))
    path = folder.path / PROFILE_FILE
    survey.profile(classifier.version, digest_of(folder.path / TOKENIZER_FILE)).save(path)
    typer.echo(f"{plain(str(path), 1000)}: {len(texts):,} texts counted, {len(judged):,} of them scored")


def _report(settings: Settings, model: Path | None, days: float, rows: int, as_json: bool) -> bool:
    from bearometer.clock import SystemClock
    from model.drift import MIN_TEXTS, Level, compare
    from model.folder import TOKENIZER_FILE, ModelFolder, digest_of
    from model.load import SHIPPED_WEIGHTS
    from model.profile import PROFILE_FILE, Profile
    from storage.database import open_database
    from storage.models import ModelStore
    from storage.recent import read_recent_texts

    engine = open_database(settings.postgres)
    registry = ModelStore(engine)
    path = model or settings.model.path
    if path is None:
        active = registry.chosen().active
        path = active.folder if active else SHIPPED_WEIGHTS
    folder = ModelFolder.open(path)
    profile = Profile.open(folder.path / PROFILE_FILE, digest_of(folder.path / TOKENIZER_FILE))
    # A worker with a GPU names the folder's other weights file: the registry knows both as one version.
    entries = [entry for entry in registry.versions() if entry.said(profile.model)]
    survey = _survey(folder.path, folder.max_tokens)
    models: Counter[str] = Counter()
    for chunk in read_recent_texts(engine, SystemClock().now() - timedelta(days=days), rows):
        survey.read([one.text for one in chunk])
        for one in chunk:
            models[one.model] += 1
            if one.model == profile.model or any(entry.said(one.model) for entry in entries):
                survey.judge(one.score, one.topic)
    if survey.texts < MIN_TEXTS:
        message = f"{survey.texts} distinct texts were stored in the last {days:g} days; {MIN_TEXTS} are needed"
        raise Failed(message)
    shifts = compare(profile, survey)
    drifted = any(shift.level is Level.DRIFTED for shift in shifts)
    if as_json:
        _print_json(profile, survey, models, shifts, days)
    else:
        _print(profile, survey, shifts, days)
    return drifted


def _survey(folder: Path, max_tokens: int) -> Survey:
    from model.folder import TOKENIZER_FILE
    from model.profile import Survey
    from model.tokenise import Tokeniser

    return Survey(Tokeniser.open(folder / TOKENIZER_FILE, max_tokens))


def _print(profile: Profile, survey: Survey, shifts: Sequence[Shift], days: float) -> None:
    from model.drift import MIN_TEXTS

    typer.echo(
        f"{survey.texts:,} distinct texts of the last {days:g} days beside {profile.texts:,} of the training data"
    )
    if survey.judged < MIN_TEXTS:
        typer.echo(
            f"score and topics are not compared: {survey.judged} of the texts were scored by the model of the training "
            f"data's profile ({plain(profile.model)}), {MIN_TEXTS} are needed"
        )
    elif survey.judged < survey.texts:
        typer.echo(
            f"score and topics are those of the {survey.judged:,} texts that the model of the training data's profile "
            f"({plain(profile.model)}) scored"
        )
    for shift in shifts:
        typer.echo(
            f"{shift.level:<8} {shift.name:<11} {shift.measure:<3} {shift.value:.3f} "
            f"(watch {shift.limits.watch:g}, drift {shift.limits.drift:g}, by chance {shift.chance:.3f}): "
            f"{plain(shift.words)}"
        )
    names = [shift.name for shift in shifts if shift.level == "drifted"]
    if names:
        typer.echo(f"drift: {', '.join(names)}. Label some of these posts (`bearometer label`) and train on them")


def _print_json(
    profile: Profile, survey: Survey, models: Mapping[str, int], shifts: Sequence[Shift], days: float
) -> None:
    from dataclasses import asdict

    import orjson

    from model.drift import MIN_TEXTS

    found: dict[str, Any] = {
        "days": days,
        "texts": survey.texts,
        "judged": survey.judged,
        "left_out": ["score", "topics"] if survey.judged < MIN_TEXTS else [],
        "models": dict(models),
        "profile": {"model": profile.model, "texts": profile.texts},
        "drifted": [shift.name for shift in shifts if shift.level == "drifted"],
        "shifts": [asdict(shift) for shift in shifts],
    }
    typer.echo(orjson.dumps(found, option=orjson.OPT_INDENT_2).decode())
