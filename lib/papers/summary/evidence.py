"""What kind of evidence a run is: on the paper's own recordings or others, and with all that the paper gave its models.

Derived from the manifest of the run, the descriptions of its corpora and `PAPER_DATA` of its paper; never said by hand.

    python -m lib.papers.summary.evidence

writes the table of the kept results into the README.
"""

from collections.abc import Iterable
from pathlib import Path

from lib import papers
from lib.data import corpora
from lib.errors import InputError
from lib.files import WORKSPACE, write_text
from lib.reporting.caption import SYNTHETIC
from lib.reporting.claims import titles
from lib.reporting.result_folders import CONTENTS, ResultFolder, read_folder

OWN, OTHER = "the paper's corpus", "another real corpus"
KINDS = {
    OWN: "recordings that the paper itself was tested on, whatever features of them were to be had",
    OTHER: "real data, but none of the paper's",
    SYNTHETIC: "no evidence about any corpus: shows the mechanism",
}


def kind(folder: ResultFolder) -> str:
    """One of `KINDS`; empty for a folder without results, and for corpora that are no longer known."""
    if folder.state == "stand-in":
        return SYNTHETIC
    families = _families(folder)
    if not families:
        return ""
    return OWN if families <= set(papers.paper_data(folder.notebook)) else OTHER


def modalities(folder: ResultFolder) -> str:
    """Whether the run had all modalities that the paper used, or which are lacking; empty where none are stated.

    What baselines on hand-crafted features alone could read is lacking.
    """
    run, theirs = folder.manifest.get("run", {}), papers.paper_data(folder.notebook)
    baselines_alone = run.get("params", {}).get("handcrafted_alone", ())
    used = [m for m in run.get("modalities") or () if m not in baselines_alone]
    own = [theirs[family] for family in sorted(_families(folder)) if family in theirs] or theirs.values()
    lacking = dict.fromkeys(m for used_there in own for m in used_there if m not in used)
    if not used or not theirs:
        return ""
    return f"without {' and '.join(lacking)}" if lacking else "all modalities"


def evidence(folder: ResultFolder) -> str:
    """`kind`, and of real data `modalities`."""
    found = kind(folder)
    return ", ".join(filter(None, (found, modalities(folder)))) if found in (OWN, OTHER) else found


def _families(folder: ResultFolder) -> set[str]:
    """The recordings that the corpora of a run were cut from."""
    params = folder.manifest.get("run", {}).get("params", {})
    names = [params["dataset"]] if params.get("dataset") else params.get("datasets", ())
    try:
        return {corpora.get(name).family for name in names}
    except InputError:
        return set()


def as_markdown(folders: Iterable[ResultFolder]) -> str:
    """One row per paper: its runs by kind of evidence, stand-ins left out."""
    found = [folder for folder in folders if kind(folder) in (OWN, OTHER)]
    lines = [f"| paper | on {OWN} | on {OTHER} |", "|---|---|---|"]
    for notebook, title in titles().items():
        cells = [
            "; ".join(
                f"`{folder.name}` ({modalities(folder) or 'modalities not stated'})"
                for folder in found
                if folder.notebook == notebook and kind(folder) == each
            )
            for each in (OWN, OTHER)
        ]
        lines.append(f"| {title} | {' | '.join(cell or 'none' for cell in cells)} |")
    return "\n".join(lines) + "\n"


def with_table(page: str, folders: Iterable[ResultFolder]) -> str:
    """The README with its table of evidence as it should be now."""
    before, there, rest = page.partition("<!-- evidence: python -m lib.papers.summary.evidence -->\n")
    _, end, after = rest.partition("<!-- /evidence -->")
    return before + there + as_markdown(folders) + end + after


def kept(results: Path) -> list[ResultFolder]:
    """The result folders with contents, by notebook and run."""
    return [read_folder(results, *path.parts[-3:-1]) for path in sorted(results.glob(f"*/*/{CONTENTS}"))]


if __name__ == "__main__":
    README = WORKSPACE / "README.md"
    write_text(README, with_table(README.read_text(encoding="utf-8"), kept(WORKSPACE / "results")))
