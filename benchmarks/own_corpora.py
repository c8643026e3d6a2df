"""What it takes to import a pickle of the size of CMU-MOSEI in the layouts of MMSA and MulT."""

import pickle
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.resources import resident_peak, told
from benchmarks.speed import Row
from lib.data.own.importing import bring

SPLITS = {"train": 16326, "valid": 1871, "test": 4659}
WIDTHS = {"text": 768, "audio": 74, "vision": 35}
STEPS = 50
LAYOUTS = ("MMSA", "MulT")


def own_corpora(quick: bool) -> Iterator[Row]:
    """(o) Size of the file and of its largest array, peak memory of the process that imports it, and its seconds."""
    share = 0.01 if quick else 1.0
    for layout in LAYOUTS:
        with tempfile.TemporaryDirectory() as place:
            path = Path(place) / "corpus.pkl"
            largest = write(path, layout, share)
            size, told_of = path.stat().st_size, told("-m", "benchmarks.own_corpora", str(path)).split()
        peak, seconds = float(told_of[0]), float(told_of[1])
        samples = sum(int(n * share) for n in SPLITS.values())
        yield {
            "layout": layout,
            "samples": samples,
            "file_MiB": size / 2**20,
            "largest_array_MiB": largest / 2**20,
            "peak_MiB": peak,
            "peak_over_largest_array": peak * 2**20 / largest,
            "seconds": seconds,
        }


def write(path: Path, layout: str, share: float = 1.0) -> int:
    """Random sequences of many lengths, zeros behind them; returns the bytes of the largest array."""
    rng, tree, largest = np.random.default_rng(0), {}, 0
    for split, samples in SPLITS.items():
        samples = int(samples * share)
        lengths = rng.integers(5, STEPS + 1, samples)
        padded = np.arange(STEPS) >= lengths[:, None]
        part: dict[str, object] = {}
        for name, width in WIDTHS.items():
            part[name] = rng.standard_normal((samples, STEPS, width), dtype=np.float32)
            part[name][padded] = 0
            largest = max(largest, part[name].nbytes)
        scores, names = (
            rng.uniform(-3, 3, samples).astype(np.float32),
            [(f"{split}{k // 7}", k % 7) for k in range(samples)],
        )
        if layout == "MMSA":
            part |= {"id": [f"{video}$_${clip}" for video, clip in names], "regression_labels": scores}
        else:
            part |= {"id": np.array([[video, str(clip), ""] for video, clip in names]), "labels": scores[:, None, None]}
        tree[split] = part
    with path.open("wb") as file:
        pickle.dump(tree, file, protocol=4)
    return largest


if __name__ == "__main__":
    started = time.perf_counter()
    source = Path(sys.argv[1])
    bring(source, "imported", source.parent / "data", task="regression", say=lambda line: None)
    print(resident_peak() / 2**10, time.perf_counter() - started)
