"""A whole training as one file: base, data, recipe and seeds, in TOML."""

import json
import tomllib
import types
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

from bearometer.errors import Misconfigured
from model.recipe import DataSet, Recipe

__all__ = ["COMBINATIONS", "Plan", "read_plan", "write_plan"]

COMBINATIONS = ("average", "best")


@dataclass(frozen=True, slots=True)
class Plan:
    """What `bearometer train` is to do. Misconfigured when it cannot be done."""

    base: str
    """A folder or a name on the Hugging Face Hub; a run folder is gone on from."""
    data: tuple[DataSet, ...]
    name: str | None = None
    """Name in the model's version; None for the run folder's."""
    development: tuple[DataSet, ...] = ()
    """Files to measure on; with none, the rows of `data` whose text's SHA-256 starts with 0 or 1."""
    seeds: tuple[int, ...] = ()
    """One training for each, in place of `recipe.seed`; then one model is made of them all."""
    combine: str = "average"
    """How several seeds become one model: `average` of their weights, or the `best` of them."""
    recipe: Recipe = field(default_factory=Recipe)

    def __post_init__(self) -> None:
        """Refuse what makes no training."""
        if not self.data:
            message = "`data` is empty; it must name at least one file to train on"
            raise Misconfigured(message)
        if self.combine not in COMBINATIONS:
            message = f"`combine` is {self.combine!r}; it must be {' or '.join(COMBINATIONS)}"
            raise Misconfigured(message)
        if len(set(self.seeds)) < len(self.seeds):
            message = f"`seeds` is {list(self.seeds)}; each must be there once"
            raise Misconfigured(message)


def read_plan(path: Path) -> Plan:
    """Read a plan; Misconfigured names the file, and the key that is unknown, missing or of another kind."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        message = f"the configuration {path} does not exist"
        raise Misconfigured(message) from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        message = f"{path} cannot be read: {error}"
        raise Misconfigured(message) from None
    try:
        plan: Plan = _build(Plan, table, "")
    except Misconfigured as error:
        message = f"{path}: {error}"
        raise Misconfigured(message) from None
    return plan


def write_plan(plan: Plan) -> str:
    """The plan as TOML, with every option spelt out; `read_plan` gives the same one back."""
    return "\n".join(_lines(plan, "")).strip() + "\n"


def _build(kind: Any, table: Mapping[str, object], where: str) -> Any:
    hints = get_type_hints(kind)
    for key in table:
        if key not in hints:
            message = f"`{where}{key}` is unknown; it must be one of {', '.join(hints)}"
            raise Misconfigured(message)
    for each in fields(kind):
        if each.name not in table and each.default is MISSING and each.default_factory is MISSING:
            message = f"`{where}{each.name}` is missing"
            raise Misconfigured(message)
    return kind(**{key: _read(hints[key], value, where + key) for key, value in table.items()})


def _read(kind: Any, value: object, where: str) -> Any:
    if is_dataclass(kind):
        if isinstance(value, dict):
            return _build(kind, value, f"{where}.")
    elif get_origin(kind) is tuple:
        if isinstance(value, list):
            return tuple(_read(get_args(kind)[0], each, where) for each in value)
    elif isinstance(kind, types.UnionType):
        return _read(get_args(kind)[0], value, where)  # None cannot be written in TOML
    elif not isinstance(value, bool) and isinstance(value, (int, float) if kind is float else kind):
        return kind(value)
    elif where == "recipe.layers" and isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    message = f"`{where}` is {value!r}; it must be {_name(kind)}"
    raise Misconfigured(message)


def _name(kind: Any) -> str:
    names = {int: "a whole number", float: "a number", str: "a text"}
    return names.get(kind, "a list" if get_origin(kind) is tuple else "a table")


def _lines(table: Any, name: str) -> list[str]:
    """Plain values first, then tables: TOML has no way back out of a table."""
    values = {each.name: getattr(table, each.name) for each in fields(table)}
    lines = [f"{key} = {_value(value)}" for key, value in values.items() if value is not None and not _is_table(value)]
    for key, value in values.items():
        path = f"{name}.{key}" if name else key
        if is_dataclass(value):
            lines += ["", f"[{path}]", *_lines(value, path)]
        elif _is_table(value):
            for each in value:
                lines += ["", f"[[{path}]]", *_lines(each, path)]
    return lines


def _is_table(value: object) -> bool:
    return is_dataclass(value) or (isinstance(value, tuple) and any(is_dataclass(each) for each in value))


def _value(value: object) -> str:
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, Sequence):
        return f"[{', '.join(_value(each) for each in value)}]"
    return repr(value)
