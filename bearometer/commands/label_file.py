"""Labels from a CSV file: each line that can be used is, each other one is told with its number."""

import csv
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from bearometer.commands.label_answer import LABEL_WORDS, MAX_NAME_BYTES, WrongAnswer, find_topic
from bearometer.correction import Correction
from bearometer.errors import Failed, Misconfigured
from bearometer.mention import WHOLE, Label, Scored

__all__ = ["BadLine", "LabelLine", "read_corrections", "read_label_lines"]

COLUMNS = ("post_id", "text", "symbol", "label", "topic", "who")
MAX_TEXT = 20_000
MAX_FIELD = 131_072
MAX_BYTES = {"post_id": 1000, "symbol": MAX_NAME_BYTES, "who": 200}
CHUNK = 500


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that cannot be used; `number` is where it begins, the header's is 1."""

    number: int
    why: str


@dataclass(frozen=True, slots=True)
class LabelLine:
    """A line that makes sense by itself; whether its post is stored is another question."""

    number: int
    post_id: str | None
    text: str | None
    symbol: str
    label: Label | None
    topic: str | None
    who: str | None


def read_label_lines(path: Path) -> Iterator[LabelLine | BadLine]:
    """Every line of the file that is not empty, in order; columns that are none of ours are passed over.

    Misconfigured when there is no such file, Failed when its header has neither `post_id` nor `text`, or no `label`
    and no `topic`.
    """
    try:
        file = path.open(encoding="utf-8-sig", errors="surrogateescape", newline="")
    except OSError as error:
        message = f"--csv {path} cannot be read: {error.strerror}"
        raise Misconfigured(message) from None
    csv.field_size_limit(MAX_FIELD)  # the whole process has one limit: another reader may have changed it
    with file:
        rows = csv.reader(file)
        try:
            header = [name.strip().lower() for name in next(rows, [])]
        except csv.Error as error:
            message = f"{path}, line 1: {error}"
            raise Failed(message) from None
        if not {"post_id", "text"} & {*header} or not {"label", "topic"} & {*header}:
            message = (
                f"{path}, line 1: the header needs `post_id` or `text`, and `label` or `topic`; it is {header!r:.120}"
            )
            raise Failed(message)
        while True:
            number = rows.line_num + 1
            try:
                row = next(rows)
            except StopIteration:
                return
            except csv.Error as error:
                yield BadLine(number, str(error))
                continue
            if any(cell.strip() for cell in row):
                try:
                    yield _line(number, header, row)
                except WrongAnswer as error:
                    yield BadLine(number, str(error))


def read_corrections(
    path: Path,
    who: str,
    find_posts: Callable[[list[str]], Mapping[str, Scored]],
    fingerprint: Callable[[str], str],
) -> Iterator[tuple[list[Correction], list[BadLine]]]:
    """The file in chunks of lines: what is to be kept, and what cannot be. Raises as `read_label_lines`.

    A stored post's own text counts, whatever the line says. A post that is not stored needs a text on its line.
    """
    lines = read_label_lines(path)
    while chunk := list(islice(lines, CHUNK)):
        good = [line for line in chunk if isinstance(line, LabelLine)]
        bad = [line for line in chunk if isinstance(line, BadLine)]
        posts = find_posts(sorted({line.post_id for line in good if line.post_id}))
        corrections = []
        for line in good:
            post = posts.get(line.post_id or "")
            if post is None and line.text is None:
                bad.append(BadLine(line.number, f"the post {line.post_id!r:.80} is not stored, and there is no `text`"))
            else:
                corrections.append(_correction(line, post, who, fingerprint))
        yield corrections, sorted(bad, key=lambda line: line.number)


def _line(number: int, header: list[str], row: list[str]) -> LabelLine:
    if len(row) != len(header):
        message = f"{len(row)} fields where the header has {len(header)}"
        raise WrongAnswer(message)
    cells = {name: cell.strip() for name, cell in zip(header, row, strict=True) if name in COLUMNS and cell.strip()}
    if any("\udc80" <= character <= "\udcff" for cell in cells.values() for character in cell):
        message = "not UTF-8"
        raise WrongAnswer(message)
    if any("\0" in cell for cell in cells.values()):
        message = "a NUL character"
        raise WrongAnswer(message)
    post_id, text, symbol = cells.get("post_id"), cells.get("text"), cells.get("symbol", WHOLE)
    label, topic = cells.get("label", "").lower(), cells.get("topic")
    for name, limit in MAX_BYTES.items():
        if len(cells.get(name, "").encode()) > limit:
            message = f"a `{name}` of more than {limit:,} bytes"
            raise WrongAnswer(message)
    if post_id is None and text is None:
        message = "neither `post_id` nor `text`"
        raise WrongAnswer(message)
    if text is not None and len(text) > MAX_TEXT:
        message = f"a `text` of {len(text):,} characters; at most {MAX_TEXT:,} are taken"
        raise WrongAnswer(message)
    if not label and topic is None:
        message = "neither `label` nor `topic`"
        raise WrongAnswer(message)
    if label and label not in LABEL_WORDS:
        message = f"`label` is {label!r:.40}; it must be one of {', '.join(LABEL_WORDS)}"
        raise WrongAnswer(message)
    if topic is not None and symbol != WHOLE:
        message = f"a `topic` beside the `symbol` {symbol!r:.40}: a topic is the whole text's"
        raise WrongAnswer(message)
    return LabelLine(
        number,
        post_id,
        text,
        symbol,
        LABEL_WORDS[label] if label else None,
        find_topic(topic) if topic is not None else None,
        cells.get("who"),
    )


def _correction(line: LabelLine, post: Scored | None, who: str, fingerprint: Callable[[str], str]) -> Correction:
    text = post.post.text if post else line.text or ""
    mark = post.post.fingerprint if post else fingerprint(text)
    symbol, said = line.symbol, None
    if post:
        symbols = {mention.symbol: mention.sentiment.label for mention in post.mentions}
        upper = line.symbol.upper().removeprefix("$")
        symbol = upper if upper in symbols else line.symbol
        said = post.sentiment.label if symbol == WHOLE else symbols.get(symbol)
    return Correction(
        post_id=line.post_id or f"text:{mark}",
        symbol=symbol,
        who=line.who or who,
        label=line.label,
        text=text,
        fingerprint=mark,
        topic=line.topic,
        model=post.model if post else None,
        model_label=said,
    )
