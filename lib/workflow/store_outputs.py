"""Store the outputs of the quick runs in the notebooks: `python -m lib.workflow.store_outputs [NOTEBOOK...]`.

Takes `results/<notebook>/quick/executed.ipynb`, which a batch run wrote, and puts its outputs under the cells of
`notebooks/<notebook>.ipynb`, figures in the size in which they are shown. Refuses a run that is not up to date with the
notebook.
"""

import sys
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path

import nbformat
from PIL import Image

from lib.errors import InputError
from lib.workflow.messages import exit_code
from lib.workflow.runs import ROOT


def store(notebook: str) -> Path:
    """Copy outputs and execution counts into the stored notebook; returns its path.

    Raises InputError if the quick run was made from other cells.
    """
    path = ROOT / "notebooks" / f"{notebook}.ipynb"
    run = ROOT / "results" / notebook / "quick" / "executed.ipynb"
    if not run.exists():
        raise InputError("no quick run", where=notebook, todo=f"./run_all.sh --only {notebook}")
    stored, executed = (nbformat.read(p, as_version=4) for p in (path, run))
    cells = [cell for cell in executed.cells if "injected-parameters" not in cell.metadata.get("tags", [])]
    if [cell.source for cell in cells] != [cell.source for cell in stored.cells]:
        raise InputError("the quick run is older than the notebook", where=notebook, todo="run it again")
    count = 0
    for ours, theirs in zip(stored.cells, cells, strict=True):
        if ours.cell_type == "code":
            count += 1
            ours.outputs, ours.execution_count = theirs.outputs, count
            for output in ours.outputs:
                if "execution_count" in output:
                    output.execution_count = count
                if "image/png" in output.get("data", {}):
                    output.data["image/png"] = as_shown(output.data["image/png"], output.metadata["image/png"])
    nbformat.write(stored, path)
    return path


def as_shown(png: str, about: Mapping[str, int]) -> str:
    """A base64 png in the size `about` says it is shown in, in 256 colours: every version stays in the history."""
    image = Image.open(BytesIO(b64decode(png))).convert("RGB").resize((about["width"], about["height"]))
    packed = BytesIO()
    image.quantize(256, Image.Quantize.MAXCOVERAGE).save(packed, format="png", optimize=True)
    return b64encode(packed.getvalue()).decode("ascii")


def main(notebooks: Sequence[str]) -> int:
    for name in notebooks or sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb")):
        print(f"stored {store(name).relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(exit_code(lambda: main(sys.argv[1:])))
