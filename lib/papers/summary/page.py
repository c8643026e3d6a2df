"""All papers on one page: what was claimed, what came out, on which data, and how sure it is.

The page holds every style, script and picture itself, so it opens from a folder, offline, anywhere.
"""

import base64
import html
from collections.abc import Iterable, Mapping
from fnmatch import fnmatch
from math import isnan
from pathlib import Path

import jinja2
import pandas as pd

from lib.files import write_text
from lib.papers.summary.evidence import KINDS, evidence
from lib.reporting.claims import DIRECTION_RULE, Claim, answers, claims, condensed, titles
from lib.reporting.published import VERDICT_RULE
from lib.reporting.result_folders import STATES, ResultFolder, read_folder
from lib.reporting.tables import readable

_TABLES = ("published*", "gain*", "{}", "ranks", "not_run", "modality_share*", "robustness*")
"""The tables of a run that the page shows, in this order; in the middle those that a paper's claims name."""
_LONG = 40
"""Rows beyond which a table is folded."""
_FIGURES = ("ranks", "pareto", "forest", "confusion", "modality_share", "robustness")
NOT_PAPERS = ("summary", "explore")
_TEMPLATE = Path(__file__).with_name("page.html.j2")


def write_page(results: Path, runs: Iterable[tuple[str, str]]) -> Path:
    """Write `index.html` into the results folder for the runs `(notebook, name)`; returns its path."""
    folders = [read_folder(results, notebook, name) for notebook, name in runs]
    target = results / "index.html"
    write_text(target, page(folders))
    return target


def page(folders: Iterable[ResultFolder]) -> str:
    """The page as HTML; everything that comes from data or parameters is escaped."""
    by_paper: dict[str, list[ResultFolder]] = {}
    for folder in (folder for folder in folders if folder.notebook not in NOT_PAPERS):
        by_paper.setdefault(folder.notebook, []).append(folder)
    known = titles()
    order = [*(name for name in known if name in by_paper), *sorted(set(by_paper) - set(known))]
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    papers = [(name, known.get(name, name.replace("_", " ").capitalize()), by_paper[name]) for name in order]
    return environment.from_string(_TEMPLATE.read_text(encoding="utf-8")).render(
        papers=papers,
        states=STATES,
        claimed=claimed(folder for _, _, paper in papers for folder in paper),
        rules={"verdict on a published number": VERDICT_RULE, "direction": DIRECTION_RULE},
        tables_of=tables_of,
        figures_of=figures_of,
        evidence=evidence,
        kinds=KINDS,
        selected_on=selected_on,
    )


def selected_on(folder: ResultFolder) -> str:
    """Which split chose the epoch and which the hyper-parameters, in words."""
    how = folder.manifest.get("run", {}).get("selected_on", {})
    return "; ".join(f"{what}: {by}" for what, by in how.items())


def claimed(folders: Iterable[ResultFolder]) -> dict[Claim, list[Mapping[str, object]]]:
    """By claim what each run says about it, numbers as strings; claims without an answer are left out."""
    found: dict[Claim, list[Mapping[str, object]]] = {claim: [] for claim in claims()}
    for folder in folders:
        about = {"state": folder.state, "selected_on": selected_on(folder), "evidence": evidence(folder)}
        for claim, rows in answers(folder).items():
            for row in condensed(rows).to_dict("records"):
                cells = {name: _number(row[name]) for name in ("published", "value", "difference")}
                cells["interval"] = _between(row["low"], row["high"])
                cells["combined"] = _between(row["combined_low"], row["combined_high"])
                cells["holm_p"] = _number(row["holm_p"])
                found[claim].append(row | cells | about)
    return {claim: rows for claim, rows in found.items() if rows}


def _between(low: float, high: float) -> str:
    return "–" if isnan(low) else f"{_number(low)} to {_number(high)}"


def _number(value: float) -> str:
    return "–" if isnan(value) else f"{value:.3f}"


def tables_of(folder: ResultFolder) -> list[Mapping[str, object]]:
    """Tables of `_TABLES`, with the columns that the notebook shows: caption, source file, heading and rows."""
    found, tables = [], folder.tables
    own = "|".join(f"{c.table}|{c.beside}" for c in claims() if c.notebook == folder.notebook)
    patterns = "|".join(_TABLES).format(own).split("|")
    for stem in dict.fromkeys(stem for pattern in patterns for stem in tables if fnmatch(stem, pattern)):
        table = tables[stem]
        cells = readable(table.drop(columns="corpus", errors="ignore"), digits=3)
        cells = cells[[name for name in _shown(folder, stem) or cells.columns if name in cells]]
        found.append(
            {
                "caption": stem.replace("_", " "),
                "file": f"{folder.notebook}/{folder.name}/tables/{stem}.csv",
                "synthetic": folder.state == "stand-in",
                "corpus": _corpus(table),
                "folded": len(table) > _LONG,
                "head": list(cells.columns),
                "rows": list(cells.itertuples(index=False, name=None)),
            }
        )
    return found


def _shown(folder: ResultFolder, stem: str) -> list[str]:
    """The headings of a table as the notebook shows it, which are those of its Markdown file."""
    path = folder.path / "tables" / f"{stem}.md"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    head = next((line for line in lines if line.startswith("| ")), "")
    return [html.unescape(name.strip()) for name in head.strip("|").split("|")] if head else []


def figures_of(folder: ResultFolder) -> list[Mapping[str, str]]:
    """Forest plots, confusion matrices, modality shares and robustness curves, as pictures within the page."""
    return [
        {
            "name": path.stem.replace("_", " "),
            "file": f"{folder.notebook}/{folder.name}/figures/{path.name}",
            "data": base64.b64encode(path.read_bytes()).decode("ascii"),
        }
        for kind in _FIGURES
        for path in folder.figures(kind)
    ]


def _corpus(table: pd.DataFrame) -> str:
    return "; ".join(map(str, table["corpus"].unique())) if "corpus" in table else ""
