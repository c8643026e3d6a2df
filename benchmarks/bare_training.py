"""Trains the grid of one run, without a notebook and without tables, and prints the seconds."""

import sys
import tempfile
from pathlib import Path

from benchmarks.machine import cores
from benchmarks.timing import duration
from lib.papers import colearning
from lib.params import load
from lib.training.sweep import sweep

if __name__ == "__main__":
    p = load(Path(__file__).resolve().parents[1] / "params" / f"{sys.argv[1]}.yaml", results="-")
    corpus = colearning.load_corpus(p)
    with tempfile.TemporaryDirectory() as folder:
        print(duration(lambda: sweep(colearning.grid(p, corpus), corpus, Path(folder), cores=cores())))
