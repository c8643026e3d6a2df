"""The GPU's part of the page of benchmarks."""

import json
from pathlib import Path

import pandas as pd

from benchmarks.gpu.tables import ALL


def gpu_section(results: Path) -> list[str]:
    """Lines of Markdown for the folder of results (`benchmarks/results`); one says so where no GPU was measured."""
    folder, head = Path(results) / "gpu", ["", "## On a GPU", ""]
    if not (folder / "machine.json").exists():
        return [*head, "Not measured: no GPU was there. `./run_all.sh bench --gpu` measures it in at most 20 minutes."]
    machine = json.loads((folder / "machine.json").read_text(encoding="utf-8"))
    lines = [*head, *(f"* {name}: {'none' if value is None else value}" for name, value in machine.items())]
    for table in ALL:
        path = folder / f"{table.name}.csv"
        lines += ["", f"### {table.title}", "", table.words, ""]
        if path.exists():
            found = pd.read_csv(path, dtype=str, keep_default_na=False).drop(
                columns=["device", "torch", "mode", "code"]
            )
            rows = [list(found.columns), ["---"] * len(found.columns), *found.to_numpy().tolist()]
            lines += [f"| {' | '.join(row)} |" for row in rows]
        else:
            lines.append("Not measured.")
    return lines
