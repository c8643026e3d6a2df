"""Reference vectors with noise in the last bits: the same mathematics, as another machine would have stored it.

`python -m tests.parity.jitter DIR --seed N [--all]` writes the files of `--golden` (by default the repository's) to DIR
with relative noise in what is compared (outputs, losses, gradients, states, scores), or in every floating-point array,
weights and inputs included. Integers, strings, zeros, NaN and infinities stay.
"""

import argparse
import re
from pathlib import Path

import numpy as np

NOISE = 1e-7
COMPARED = re.compile(r"(^|/)(out|loss|grad\w*|after\w*|best\w*|final\w*|used_in_epoch)(/|$)")


def jittered(array: np.ndarray, generator: np.random.Generator, size: float = NOISE) -> np.ndarray:
    """Every element times 1 + `size` times a standard normal number, in the array's own precision."""
    if array.dtype.kind != "f":
        return array
    noisy = array.astype(np.float64) * (1 + size * generator.standard_normal(array.shape))
    return noisy.astype(array.dtype)


def jittered_arrays(
    arrays: dict[str, np.ndarray], generator: np.random.Generator, everything: bool
) -> dict[str, np.ndarray]:
    """A whole file: what is compared, or everything, with noise."""
    return {k: jittered(x, generator) if everything or COMPARED.search(k) else x for k, x in arrays.items()}


def write_jittered(golden: Path, target: Path, seed: int, everything: bool = False) -> None:
    """One file of the same name in `target` for each of `golden`."""
    generator = np.random.default_rng(seed)
    for path in sorted(golden.rglob("*.npz")):
        with np.load(path, allow_pickle=False) as archive:
            arrays = jittered_arrays({key: archive[key] for key in archive.files}, generator, everything)
        place = target / path.relative_to(golden)
        place.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(place, **arrays)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", type=Path, metavar="DIR")
    parser.add_argument("--golden", type=Path, default=Path(__file__).parent / "golden")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--all", action="store_true", help="weights and inputs as well")
    arguments = parser.parse_args()
    write_jittered(arguments.golden, arguments.target, arguments.seed, arguments.all)
