"""Measures everything, or what is asked for: `./run_all.sh bench [--quick] [--only NAME] [--out FOLDER]`.

Writes one csv per table and the machine's description into `benchmarks/results`, and the page `docs/benchmarks.md`.
"""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import pandas as pd

from benchmarks import (
    conversations,
    eea,
    end_to_end,
    fusion,
    limits,
    page,
    resources,
    savings,
    search,
    speed,
    startup,
    transformers,
)
from benchmarks.machine import description
from lib.files import atomic_path, write_json

ROOT = Path(__file__).resolve().parents[1]
TABLES = {
    "epochs": speed.epochs,
    "eea": eea.eea_epoch,
    "fusion": fusion.fusion,
    "grid": speed.grid,
    "members": speed.members,
    "sizes": speed.sizes,
    "search": search.busy_cores,
    "overhead": resources.overhead,
    "startup": startup.startup,
    "memory": resources.memory,
    "limit": limits.limit,
    "profile": limits.where_time_goes,
    "precision": limits.precision,
    "precision_scores": limits.precision_scores,
    "conversations": conversations.conversations,
    "conversation_memory": conversations.conversation_memory,
    "end_to_end": end_to_end.end_to_end,
    "savings": savings.savings,
    "transformers": transformers.transformers,
}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="run_all.sh bench", description="Time what benchmarks/ measures.")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, one round: shows that everything runs")
    parser.add_argument("--only", action="append", choices=list(TABLES), help="only this table (may be repeated)")
    parser.add_argument("--out", type=Path, help="folder for csv files and page, instead of the repository's")
    options = parser.parse_args(arguments)
    mpl.use("Agg")
    results = options.out or ROOT / "benchmarks" / "results"
    machine = description() | {"mode": "quick" if options.quick else "full"}
    for name in options.only or TABLES:
        started = time.perf_counter()
        rows = list(TABLES[name](options.quick))
        if rows:
            with atomic_path(results / f"{name}.csv") as path:
                pd.DataFrame(rows).to_csv(path, index=False, float_format="%.6g")
        print(f"{name:17} {len(rows):3} rows, {time.perf_counter() - started:6.1f} s", flush=True)
    write_json(results / "machine.json", machine)
    page.write(results, (options.out or ROOT / "docs") / "benchmarks.md")


if __name__ == "__main__":
    main()
