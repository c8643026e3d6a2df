"""Small pre-trained parts, pinned by what a test has written."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from lib.data.pretrained import PartFile, PretrainedPart

GLOVE = ("index.parquet", "vectors.npy")


def pinned(name: str, root: Path, paths: Sequence[str]) -> PretrainedPart:
    """The part whose files below `root` are these, as they are now."""
    files = []
    for path in paths:
        content = (root / path).read_bytes()
        files.append(PartFile(path, path, len(content), hashlib.sha256(content).hexdigest()))
    return PretrainedPart(name, name, name, "1.0", "0" * 64, "MIT", tuple(files))


def write_glove(root: Path, words: Sequence[str]) -> PretrainedPart:
    """Vectors that count on from word to word."""
    pd.DataFrame({"index": words}).to_parquet(root / GLOVE[0])
    np.save(root / GLOVE[1], np.arange(50.0 * len(words), dtype=np.float32).reshape(-1, 50))
    return pinned("glove_6b_50d", root, GLOVE)
