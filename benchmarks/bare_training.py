"""Trains the grid of one run, without a notebook and without tables, and prints the seconds."""

import sys
import tempfile
from pathlib import Path

from benchmarks.machine import cores
from benchmarks.timing import duration
from lib.papers import load, study_of
from lib.training.sweep import sweep

if __name__ == "__main__":
    p = load(Path(__file__).resolve().parents[1] / "params" / f"{sys.argv[1]}.yaml", results="-")
    ((corpus, members),) = study_of(p).grids
    with tempfile.TemporaryDirectory() as folder:
        print(duration(lambda: sweep(members, corpus, Path(folder), cores=cores())))
