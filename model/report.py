"""Writing an assessment down: a single HTML file that needs nothing else, and Markdown beside its pictures."""

import base64
import re
from collections.abc import Sequence
from html import escape
from pathlib import Path

from bearometer.errors import Misconfigured
from model.assess import Assessment
from model.findings import Grid, Section, findings

__all__ = ["report_html", "report_markdown", "write_report"]

_STYLE = """
:root { color-scheme: light dark; }
body { font: 15px/1.45 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2.5rem; } h3 { font-size: 1rem; }
.grid { overflow-x: auto; } table { border-collapse: collapse; font-size: 13px; }
th, td { padding: .25rem .7rem; border-bottom: 1px solid #8884; text-align: right; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; } p.note { font-size: 13px; opacity: .75; }
figure { display: inline-block; margin: 1rem 1rem 0 0; } img { max-width: 34rem; width: 100%; background: white; }
"""


def write_report(folder: Path, assessment: Assessment, title: str) -> list[Path]:
    """Write `report.html`, `report.md` and the pictures; the folder is made, files of these names are replaced.

    Raises Misconfigured when the folder cannot be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        sections = findings(assessment, with_plots=True)
        contents: dict[str, bytes] = {
            "report.html": report_html(title, sections).encode("utf-8", "replace"),
            "report.md": report_markdown(title, sections).encode("utf-8", "replace"),
            **{f"{plot.name}.png": plot.png for section in sections for plot in section.plots},
        }
        for name, content in contents.items():
            (folder / name).write_bytes(content)
    except OSError as error:
        message = f"the report cannot be written to {folder}: {error.strerror}"
        raise Misconfigured(message) from None
    return [folder / name for name in contents]


def report_html(title: str, sections: Sequence[Section]) -> str:
    """One page with its pictures in it; loads nothing and runs nothing. All text is escaped."""
    body = "".join(_html_section(section) for section in sections)
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n"
        f"<body>\n<h1>{escape(title)}</h1>\n{body}</body>\n</html>\n"
    )


def report_markdown(title: str, sections: Sequence[Section]) -> str:
    """The same for people who read source; pictures are files beside it."""
    parts = [f"# {_mark(title)}"]
    for section in sections:
        parts.append(f"## {_mark(section.title)}")
        parts += [_markdown_grid(grid) for grid in section.grids]
        parts += [f"![{_mark(plot.title)}]({plot.name}.png)" for plot in section.plots]
    return "\n\n".join(parts) + "\n"


def _html_section(section: Section) -> str:
    grids = "".join(_html_grid(grid) for grid in section.grids)
    plots = "".join(
        f'<figure><img alt="{escape(plot.title)}" src="{_inline(plot.png)}">'
        f"<figcaption>{escape(plot.title)}</figcaption></figure>\n"
        for plot in section.plots
    )
    return f"<h2>{escape(section.title)}</h2>\n{grids}{plots}"


def _inline(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode('ascii')}"


def _html_grid(grid: Grid) -> str:
    header = "".join(f"<th>{escape(cell)}</th>" for cell in grid.header)
    rows = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>\n" for row in grid.rows)
    note = f'<p class="note">{escape(grid.note)}</p>\n' if grid.note else ""
    return (
        f"<h3>{escape(grid.title)}</h3>\n"
        f'<div class="grid"><table><thead><tr>{header}</tr></thead>\n<tbody>{rows}</tbody></table></div>\n{note}'
    )


def _markdown_grid(grid: Grid) -> str:
    lines = [
        f"**{_mark(grid.title)}**",
        "",
        _line([_mark(cell) for cell in grid.header]),
        _line(["---", *["---:"] * (len(grid.header) - 1)]),
    ]
    lines += [_line([_mark(cell) for cell in row]) for row in grid.rows]
    if grid.note:
        lines += ["", _mark(grid.note)]
    return "\n".join(lines)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _mark(text: str) -> str:
    """Text that Markdown leaves as it is, on one line."""
    return re.sub(r"([\\`*_\[\]<>|#])", r"\\\1", " ".join(text.split()))
