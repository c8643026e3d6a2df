"""All papers on one page: what was claimed, what came out, on which data, and how sure it is.

The page holds every style, script and picture itself, so it opens from a folder, offline, anywhere.
"""

import base64
from collections.abc import Iterable, Mapping
from pathlib import Path

import jinja2
import pandas as pd

from lib.files import write_text
from lib.reporting.gains import COLEARNING_RULE
from lib.reporting.published import VERDICT_RULE
from lib.reporting.result_folders import STATES, ResultFolder, read_folder
from lib.reporting.tables import readable

PAPERS: dict[str, str] = {
    "iemocap_negative_colearning": "Co-learning with aggressive modality dropout: IEMOCAP",
    "mosi_positive_colearning": "Co-learning with aggressive modality dropout: MOSI",
    "low_rank_fusion": "Low-rank multimodal fusion",
    "emotion_embeddings": "Modality-transferable emotion embeddings",
    "unseen_emotions": "Modality-transferable emotion embeddings: unseen emotions",
    "self_paced_balance": "Self-paced curriculum learning in conversations",
    "end_to_end_sparse": "End-to-end emotion recognition, dense and sparse",
}
"""Titles by notebook, in the order of the page; other notebooks follow under their own names."""

_SHOWN = {
    "published": ("variant", "quantity", "paper", "reproduced", "reproduced_n", "difference", "verdict"),
    "gain": ("variant", "baseline", "metric", "n", "score", "baseline_score", "gain", "t_interval", "verdict"),
}
_TEMPLATE = Path(__file__).with_name("summary_page.html.j2")


def write_page(results: Path, runs: Iterable[tuple[str, str]]) -> Path:
    """Write `index.html` into the results folder for the runs `(notebook, name)`; returns its path."""
    folders = [read_folder(results, notebook, name) for notebook, name in runs]
    target = results / "index.html"
    write_text(target, page(folders))
    return target


def page(folders: Iterable[ResultFolder]) -> str:
    """The page as HTML; everything that comes from data or parameters is escaped."""
    by_paper: dict[str, list[ResultFolder]] = {}
    for folder in folders:
        by_paper.setdefault(folder.notebook, []).append(folder)
    order = [*(name for name in PAPERS if name in by_paper), *sorted(set(by_paper) - set(PAPERS))]
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    papers = [(name, PAPERS.get(name, name.replace("_", " ")), by_paper[name]) for name in order]
    return environment.from_string(_TEMPLATE.read_text(encoding="utf-8")).render(
        papers=papers, states=STATES, rules=(VERDICT_RULE, COLEARNING_RULE), tables_of=tables_of, figures_of=figures_of
    )


def tables_of(folder: ResultFolder) -> list[Mapping[str, object]]:
    """The comparisons with the published numbers, then the gain tables: caption, source file, heading and rows."""
    found = []
    for kind, columns in _SHOWN.items():
        for stem, table in folder.tables(kind).items():
            shown = [c for c in columns if c in table or f"{c}_low" in table]
            cells = readable(table, shown=shown, digits=3)
            found.append(
                {
                    "caption": stem.replace("_", " "),
                    "file": f"{folder.notebook}/{folder.name}/tables/{stem}.csv",
                    "synthetic": folder.state == "stand-in",
                    "corpus": _corpus(table),
                    "head": list(cells.columns),
                    "rows": list(cells.itertuples(index=False, name=None)),
                }
            )
    return found


def figures_of(folder: ResultFolder) -> list[Mapping[str, str]]:
    """Confusion matrices, as pictures within the page."""
    return [
        {
            "name": path.stem.replace("_", " "),
            "file": f"{folder.notebook}/{folder.name}/figures/{path.name}",
            "data": base64.b64encode(path.read_bytes()).decode("ascii"),
        }
        for path in folder.figures("confusion")
    ]


def _corpus(table: pd.DataFrame) -> str:
    return "; ".join(map(str, table["corpus"].unique())) if "corpus" in table else ""
