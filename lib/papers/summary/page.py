"""All papers on one page: what was claimed, what came out, on which data, and how sure it is.

The page holds every style, script and picture itself, so it opens from a folder, offline, anywhere.
"""

from collections.abc import Iterable
from pathlib import Path

from markupsafe import Markup

from lib.files import write_text
from lib.papers.summary.evidence import KINDS, evidence
from lib.papers.summary.parts import ESCAPING, Part, part
from lib.reporting.claims import DIRECTION_RULE, Claim, claims, titles
from lib.reporting.published import VERDICT_RULE
from lib.reporting.result_folders import STATES, ResultFolder, read_folder

NOT_PAPERS = ("summary", "explore")
_TEMPLATE = Path(__file__).with_name("page.html.j2")


def write_page(results: Path, runs: Iterable[tuple[str, str]], memory: Path | None = None) -> Path:
    """Write `index.html` into the results folder for the runs `(notebook, name)`; returns its path.

    `memory` is that of `parts.part`.
    """
    folders = [read_folder(results, notebook, name) for notebook, name in runs]
    target = results / "index.html"
    write_text(target, page(folders, memory))
    return target


def page(folders: Iterable[ResultFolder], memory: Path | None = None) -> str:
    """The page as HTML; everything that comes from data or parameters is escaped."""
    by_paper: dict[str, list[ResultFolder]] = {}
    for folder in (folder for folder in folders if folder.notebook not in NOT_PAPERS):
        by_paper.setdefault(folder.notebook, []).append(folder)
    known = titles()
    order = [*(name for name in known if name in by_paper), *sorted(set(by_paper) - set(known))]
    papers = [(name, known.get(name, name.replace("_", " ").capitalize()), by_paper[name]) for name in order]
    shown = [folder for _, _, paper in papers for folder in paper if folder.has_results]
    parts = {(folder.notebook, folder.name): part(folder, memory) for folder in shown}
    return ESCAPING.from_string(_TEMPLATE.read_text(encoding="utf-8")).render(
        papers=papers,
        states=STATES,
        claimed=_claimed(parts.values()),
        sections={about: Markup(each.section) for about, each in parts.items()},
        rules={"verdict on a published number": VERDICT_RULE, "direction": DIRECTION_RULE},
        evidence=evidence,
        kinds=KINDS,
    )


def _claimed(parts: Iterable[Part]) -> dict[Claim, Markup]:
    """By claim the rows of all runs; claims without an answer are left out."""
    parts = list(parts)
    found = {claim: "".join(each.answers.get(claim.id, "") for each in parts) for claim in claims()}
    return {claim: Markup(rows) for claim, rows in found.items() if rows}
