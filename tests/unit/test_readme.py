from pathlib import Path

import pytest
from pydantic import BaseModel, SecretStr

from bearometer.settings import Settings

README = Path(__file__).parents[2] / "README.md"

GROUPS = {
    name: field.annotation
    for name, field in Settings.model_fields.items()
    if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
}


def _shown(default: object) -> str:
    if isinstance(default, SecretStr):
        default = default.get_secret_value()
    if default is None or default == ():
        return "none"
    if isinstance(default, tuple):
        return ", ".join(f"`{item}`" for item in default)
    return f"`{str(default).lower()}`" if isinstance(default, bool) else f"`{default}`"


@pytest.mark.parametrize("group", GROUPS)
def test_the_readme_lists_every_setting_with_its_default(group: str) -> None:
    section = README.read_text("utf-8").partition(f"\n`[{group}]` / `BEAROMETER_{group.upper()}__…`")[2]
    table = section.lstrip().partition("\n\n")[2].partition("\n\n")[0]
    rows = [line.rpartition("|")[0].rpartition("|")[0] for line in table.splitlines()[2:]]
    assert rows == [f"| `{name}` | {_shown(field.default)} " for name, field in GROUPS[group].model_fields.items()]
