"""Measures everything, or what is asked for: `./run_all.sh bench [--quick] [--only NAME] [--out FOLDER]`.

Writes one csv per table and the machine's description into `benchmarks/results`, and the pages `docs/benchmarks.md` and
`docs/benchmarks_tables.md`.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import matplotlib as mpl
import pandas as pd

from benchmarks import (
    conversations,
    eea,
    end_to_end,
    fusion,
    growth,
    kernels,
    limits,
    own_corpora,
    page,
    peaks,
    resources,
    savings,
    search,
    speed,
    startup,
    torch_compile,
    transformers,
)
from benchmarks.gpu import run as gpu
from benchmarks.machine import description
from lib.files import atomic_path, write_json
from lib.workflow.messages import exit_code

ROOT = Path(__file__).resolve().parents[1]
TABLES = {
    "epochs": speed.epochs,
    "eea": eea.eea_epoch,
    "fusion": fusion.fusion,
    "compiled": kernels.compiled,
    "grid": speed.grid,
    "members": speed.members,
    "sizes": speed.sizes,
    "search": search.busy_cores,
    "overhead": resources.overhead,
    "startup": startup.startup,
    "memory": resources.memory,
    "peaks": peaks.peaks,
    "own_corpora": own_corpora.own_corpora,
    "limit": limits.limit,
    "profile": limits.where_time_goes,
    "precision": limits.precision,
    "precision_scores": limits.precision_scores,
    "conversations": conversations.conversations,
    "conversation_memory": conversations.conversation_memory,
    "end_to_end": end_to_end.end_to_end,
    "growth": growth.growth,
    "savings": savings.savings,
    "transformers": transformers.transformers,
    "torch_compile": torch_compile.torch_compile,
}


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="run_all.sh bench", description="Time what benchmarks/ measures.")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, one round: shows that everything runs")
    parser.add_argument("--only", action="append", choices=list(TABLES), help="only this table (may be repeated)")
    parser.add_argument("--out", type=Path, help="folder for csv files and page, instead of the repository's")
    parser.add_argument(
        "--gpu", action="store_true", help="what benchmarks/gpu asks a GPU, instead of the other tables"
    )
    parser.add_argument("--minutes", type=float, default=20, help="of --gpu: stop after so long (default 20)")
    options = parser.parse_args(arguments)
    if options.gpu:
        gpu.run(quick=options.quick, minutes=options.minutes, out=options.out)
        return 0
    mpl.use("Agg")
    results = options.out or ROOT / "benchmarks" / "results"
    machine = description() | {"mode": "quick" if options.quick else "full"}
    for name in options.only or TABLES:
        before, started = description() | {"date": date.today().isoformat()}, time.perf_counter()
        rows = list(TABLES[name](options.quick))
        if rows:
            with atomic_path(results / f"{name}.csv") as path:
                pd.DataFrame(rows).to_csv(path, index=False, float_format="%.6g")
            _note_machine(results / "machine.csv", {"table": name} | before | {"mode": machine["mode"]})
        print(f"{name:17} {len(rows):3} rows, {time.perf_counter() - started:6.1f} s", flush=True)
    write_json(results / "machine.json", machine)
    page.write(results, (options.out or ROOT / "docs") / "benchmarks.md")
    return 0


def _note_machine(path: Path, row: dict[str, object]) -> None:
    """Write what a table was measured on in place of what was said of it before."""
    known = pd.read_csv(path) if path.exists() else pd.DataFrame(columns=list(row))
    others = known[known["table"] != row["table"]].to_dict("records")
    with atomic_path(path) as target:
        pd.DataFrame([*others, row]).to_csv(target, index=False)


if __name__ == "__main__":
    sys.exit(exit_code(main))
