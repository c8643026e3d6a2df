"""The results that the repository keeps, all on real data, and one as if of a stand-in, made from one of theirs."""

import shutil
import subprocess
from pathlib import Path

from lib.reporting.caption import REAL, SYNTHETIC
from lib.reporting.result_folders import CONTENTS, KEPT, write_contents
from lib.workflow.runs import ROOT

RESULTS = ROOT / "results"
STAND_IN = ("mosi_positive_colearning", "quick")
LIKE = ("mosi_positive_colearning", "mmmo")


def kept_runs() -> list[tuple[str, str]]:
    """Notebook and run of what is under version control; what somebody has run here besides is his own."""
    names = _tracked() if shutil.which("git") and (ROOT / ".git").exists() else []
    names = names or [str(path.relative_to(ROOT)) for path in RESULTS.glob(f"*/*/{CONTENTS}")]
    return sorted((Path(name).parts[1], Path(name).parts[2]) for name in names)


def _tracked() -> list[str]:
    asked = subprocess.run(["git", "ls-files", f"results/*/*/{CONTENTS}"], cwd=ROOT, capture_output=True, text=True)
    return asked.stdout.split()


def copy_kept(run: tuple[str, str], target: Path) -> None:
    """What is kept of a run, as the new folder `target`."""
    target.mkdir(parents=True)
    for name in (CONTENTS, *KEPT):
        source = RESULTS.joinpath(*run, name)
        (shutil.copytree if source.is_dir() else shutil.copy2)(source, target / name)


def make_results(root: Path) -> Path:
    """`root`/results with all that is kept, and a quick run on a stand-in."""
    for run in kept_runs():
        copy_kept(run, root.joinpath("results", *run))
    stand_in = root.joinpath("results", *STAND_IN)
    copy_kept(LIKE, stand_in)
    for path in [stand_in / "manifest.json", *(stand_in / "tables").iterdir()]:
        text = path.read_text(encoding="utf-8").replace(REAL, SYNTHETIC)
        path.write_text(text.replace('"synthetic": false', '"synthetic": true'), encoding="utf-8")
    write_contents(stand_in)
    return root / "results"
