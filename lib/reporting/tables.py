"""Tables as csv (full precision), Markdown, LaTeX and HTML, captioned with the corpus label.

For reading, columns that belong together are merged: `x` and `x_std` into "mean ± std", `x_low` and `x_high`
into "low to high" under the name "x, 95 %". The csv keeps every column and gains `corpus`, its only place for
the label.
"""

import html
import re
from collections.abc import Sequence
from numbers import Integral, Real
from pathlib import Path

import numpy as np
import pandas as pd

from lib.files import write_text
from lib.reporting.caption import caption as full_caption
from lib.reporting.caption import is_synthetic

_NOTHING = "–"
_LATEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "[": "{[}",  # a bracket or star at the start of a row would be an argument of the line break before it
    "]": "{]}",
    "*": "{*}",
    "±": r"$\pm$",
    "–": "--",
}
_MARKDOWN = {
    **{c: f"&#{ord(c)};" for c in "|[]`$\\*_~"},  # as entities: backslashes would start mathematics in a notebook
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
}
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{title}</title>
<style>
body {{ font-family: sans-serif; margin: 2em; color: #222; }}
table {{ border-collapse: collapse; font-variant-numeric: tabular-nums; }}
caption {{ text-align: left; padding-bottom: 0.6em; }}
.synthetic {{ color: #b00020; font-weight: bold; }}
th {{ border-top: 2px solid; border-bottom: 1px solid; text-align: left; }}
th, td {{ padding: 0.25em 0.8em; }}
td.number {{ text-align: right; }}
tbody tr:last-child td {{ border-bottom: 2px solid; }}
</style>
</head>
<body>
<table>
<caption{style}>{caption}</caption>
<thead><tr>{head}</tr></thead>
<tbody>
{body}
</tbody>
</table>
</body>
</html>
"""


def save(
    table: pd.DataFrame,
    stem: Path,
    *,
    caption: str,
    label: str,
    shown: Sequence[str] | None = None,
    digits: int = 4,
) -> None:
    """Write `<stem>.csv`, `.md`, `.tex` and `.html`, each whole or not at all. Arguments as in `readable`."""
    stem = Path(stem)
    options = {"caption": caption, "label": label, "shown": shown, "digits": digits}
    write_text(stem.with_name(f"{stem.name}.csv"), csv(table, label=label))
    write_text(stem.with_name(f"{stem.name}.md"), markdown(table, **options))
    write_text(stem.with_name(f"{stem.name}.tex"), latex(table, **options))
    write_text(stem.with_name(f"{stem.name}.html"), page(table, **options))


def readable(table: pd.DataFrame, *, shown: Sequence[str] | None = None, digits: int = 4) -> pd.DataFrame:
    """The table as strings: numbers with `digits` decimals, columns merged, missing values as a dash.

    `shown` names the columns to keep, in their order; `x` brings its `x_std` along and a bare `x` stands for
    the pair `x_low`, `x_high`. Without it all columns are kept. Raises KeyError for a column that the table
    does not have.
    """
    columns: dict[str, list[str]] = {}
    for name in dict.fromkeys(shown or [_merged_name(column, table) for column in table.columns]):
        if name in table:
            deviations = table[f"{name}_std"] if f"{name}_std" in table else [np.nan] * len(table)
            cells = [_mean_std(v, s, digits) for v, s in zip(table[name], deviations, strict=True)]
        else:
            low, high = table[f"{name}_low"], table[f"{name}_high"]
            cells = [_range(a, b, digits) for a, b in zip(low, high, strict=True)]
        columns[_heading(name, table)] = cells
    return pd.DataFrame(columns, index=range(len(table)))


def csv(table: pd.DataFrame, *, label: str) -> str:
    """All columns at full precision, and the corpus label in a last column `corpus`."""
    is_synthetic(label)
    return table.assign(corpus=label).to_csv(index=False, lineterminator="\n")


def markdown(table: pd.DataFrame, *, caption: str, label: str, **options) -> str:
    """A Markdown table under its caption; options as in `readable`."""
    cells = readable(table, **options).map(_markdown)
    rule = ["---:" if right else "---" for right in _numeric(table, cells)]
    lines = [map(_markdown, cells.columns), rule, *cells.itertuples(index=False)]
    rows = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"{_markdown(full_caption(caption, label))}\n\n{rows}\n"


def latex(table: pd.DataFrame, *, caption: str, label: str, **options) -> str:
    """A LaTeX `table` (package booktabs); options as in `readable`."""
    cells = readable(table, **options).map(_latex)
    alignment = "".join("r" if right else "l" for right in _numeric(table, cells))
    lines = [f"{' & '.join(line)} \\\\" for line in cells.itertuples(index=False)]
    return "\n".join(
        [
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{_latex(full_caption(caption, label))}}}",
            rf"\begin{{tabular}}{{{alignment}}}",
            r"\toprule",
            f"{' & '.join(map(_latex, cells.columns))} \\\\",
            r"\midrule",
            *lines,
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
            "",
        ]
    )


def page(table: pd.DataFrame, *, caption: str, label: str, **options) -> str:
    """A self-contained HTML page; the caption of a stand-in is red. Options as in `readable`."""
    cells = readable(table, **options).map(html.escape)
    tags = ['<td class="number">' if right else "<td>" for right in _numeric(table, cells)]
    rows = (
        "".join(f"{tag}{cell}</td>" for tag, cell in zip(tags, line, strict=True))
        for line in cells.itertuples(index=False)
    )
    text = html.escape(full_caption(caption, label))
    return _PAGE.format(
        title=text,
        caption=text,
        style=' class="synthetic"' if is_synthetic(label) else "",
        head="".join(f"<th>{html.escape(name)}</th>" for name in cells.columns),
        body="\n".join(f"<tr>{row}</tr>" for row in rows),
    )


def _merged_name(column: str, table: pd.DataFrame) -> str:
    """The name a column is shown under: a `_std` under its mean, `_low` and `_high` under their stem."""
    if column.endswith("_std") and column.removesuffix("_std") in table:
        return column.removesuffix("_std")
    stem = re.sub(r"_(low|high)$", "", column)
    return stem if f"{stem}_low" in table and f"{stem}_high" in table else column


def _heading(name: str, table: pd.DataFrame) -> str:
    return name.replace("_", " ") if name in table else f"{name.replace('_', ' ')}, 95 %"


def _numeric(table: pd.DataFrame, cells: pd.DataFrame) -> list[bool]:
    """Whether each shown column holds numbers and is aligned to the right."""
    words = {_heading(column, table) for column in table if not pd.api.types.is_numeric_dtype(table[column])}
    return [heading not in words for heading in cells.columns]


def _mean_std(value: object, deviation: float, digits: int) -> str:
    cell = _cell(value, digits)
    return cell if pd.isna(deviation) or cell == _NOTHING else f"{cell} ± {_cell(deviation, digits)}"


def _range(low: float, high: float, digits: int) -> str:
    return _NOTHING if pd.isna(low) or pd.isna(high) else f"{_cell(low, digits)} to {_cell(high, digits)}"


def _cell(value: object, digits: int) -> str:
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "no"
    if not isinstance(value, str) and pd.isna(value):
        return _NOTHING
    if isinstance(value, Integral):
        return str(value)
    if isinstance(value, Real):
        tiny = 0 < abs(value) < 0.5 * 10.0**-digits
        return f"{value:.1e}" if tiny else f"{value:.{digits}f}"
    return str(value)


def _escape(text: str, replacements: dict[str, str]) -> str:
    return "".join(replacements.get(character, character) for character in " ".join(text.split()))


def _markdown(text: str) -> str:
    return _escape(text, _MARKDOWN)


def _latex(text: str) -> str:
    return re.sub(r"(?<![\w$])-(?=\d)", "$-$", _escape(text, _LATEX))
