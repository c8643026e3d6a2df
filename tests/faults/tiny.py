"""The real library and a real notebook, short of two cells, with a YAML that trains for seconds; what an undisturbed
run leaves of it."""

import csv
import hashlib
import json
import shutil
from pathlib import Path

import nbformat
import numpy as np
from safetensors import safe_open

from tests.workflow.workspace import REAL, Workspace

RUN = "iemocap_negative_colearning/tiny"
NOTEBOOK = "iemocap_negative_colearning"
TINY = {
    "dataset": "iemocap_like",
    "samples": 150,
    "target": ["text"],
    "support": ["audio", "video"],
    "rates": [0, 0.8],
    "seeds": [0, 1],
    "epochs": 3,
    "batch_size": 30,
    "learning_rate": 0.001,
    "hidden": 8,
    "dropout": 0.5,
}
MEMBERS = 6
LEFT_OUT = ("report.confusion(", "report.modalities(")
"""In the two cells that would take most of the time, and write nothing that is not written elsewhere, too."""


def make(root: Path) -> Workspace:
    """A workspace with one run: it writes its stand-in, builds a cache, trains, writes tables, figures and the page."""
    for name in ("run_all.sh", "Snakefile", "pyproject.toml"):
        root.mkdir(parents=True, exist_ok=True)
        shutil.copy(REAL / name, root / name)
    without = shutil.ignore_patterns("__pycache__")
    shutil.copytree(REAL / "lib", root / "lib", ignore=without)
    shutil.copytree(REAL / "profiles", root / "profiles", ignore=without)
    (root / "notebooks").mkdir()
    notebook = nbformat.read(REAL / "notebooks" / f"{NOTEBOOK}.ipynb", as_version=4)
    kept = [cell for cell in notebook.cells if not any(words in cell.source for words in LEFT_OUT)]
    assert len(kept) == len(notebook.cells) - len(LEFT_OUT)
    notebook.cells = kept
    nbformat.write(notebook, root / "notebooks" / f"{NOTEBOOK}.ipynb")
    workspace = Workspace(root)
    workspace.parameters(RUN, **TINY)
    # The notebook compares its settings with the paper's.
    shutil.copy(REAL / "params" / NOTEBOOK / "paper.yaml", root / "params" / NOTEBOOK)
    return workspace


def fingerprint(workspace: Workspace, run: str = RUN) -> dict[str, str]:
    """SHA-256 of all that a run found, by name: every file of tables and figures byte for byte, scores and records
    without the seconds they took."""
    folder = workspace.path(run)
    names = sorted(
        path.relative_to(folder).as_posix() for part in ("tables", "figures") for path in (folder / part).iterdir()
    )
    found = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names}
    with (folder / "runs.csv").open(newline="") as table:
        rows = [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(table)]
    found["runs.csv"] = hashlib.sha256(json.dumps(rows).encode()).hexdigest()
    manifest = json.loads((folder / "manifest.json").read_text())
    found["manifest.json: data"] = json.dumps(manifest.get("data"), sort_keys=True)
    for path in records(workspace, run):
        found[f"members/{path.name}"] = _tensors(path)
    return found


def records(workspace: Workspace, run: str = RUN) -> list[Path]:
    """The finished members."""
    paths = sorted(workspace.path(run, "members").glob("[!.]*.safetensors"))
    return [path for path in paths if not path.name.endswith(".weights.safetensors")]


def _tensors(path: Path) -> str:
    digest = hashlib.sha256()
    with safe_open(path, framework="np") as archive:
        for name in sorted(archive.keys()):
            digest.update(name.encode())
            digest.update(np.ascontiguousarray(archive.get_tensor(name)).tobytes())
    return digest.hexdigest()


def half_written(workspace: Workspace) -> list[str]:
    """Files under a name that would be taken for a result, a record, a mark or a cache, and are not whole."""
    found = []
    for run in [workspace.root / "results" / RUN] if (workspace.root / "results" / RUN).exists() else []:
        for path in [*run.glob("*.json"), *run.glob("members/chunks/*.json")]:
            if not _parses(path):
                found.append(str(path))
        for path in run.glob("members/[!.]*.safetensors"):
            try:
                _tensors(path)
            except Exception as error:
                found.append(f"{path}: {error}")
        if (run / "status.json").exists():
            recorded = json.loads((run / "status.json").read_text())["outputs"]
            for name, digest in recorded.items():
                if hashlib.sha256((run / name).read_bytes()).hexdigest() != digest:
                    found.append(f"{name} is not what status.json says")
    for entry in (workspace.root / ".reprise/cache").glob("*/[!.]*/arrays.json"):
        for facts in json.loads(entry.read_text())["arrays"]:
            path = entry.with_name(f"{facts['name']}.npy")
            if hashlib.sha256(path.read_bytes()).hexdigest() != facts["sha256"]:
                found.append(f"{path} is not what its list says")
    return found


def _parses(path: Path) -> bool:
    try:
        json.loads(path.read_text())
    except ValueError:
        return False
    return True
