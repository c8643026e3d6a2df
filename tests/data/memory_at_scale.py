"""`python -m tests.data.memory_at_scale UTTERANCES FOLDER`: peak memory of preparing and reading so many utterances.

Prints the peaks in MiB, after the preparation and after an epoch of minibatches, beside the size of what was prepared.
The utterances share their files by hard links, 3 seconds of noise and 2 ready faces each.
"""

import json
import os
import pickle
import resource
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from lib.data.recordings.raw_batches import open_batches
from lib.data.recordings.raw_decoding import Options
from lib.data.recordings.raw_preprocessing import preprocess
from tests.data.releases import SAMPLE_RATE, sound

BATCH = 8


def write(root: Path, utterances: int) -> None:
    rng = np.random.default_rng(0)
    root.mkdir(parents=True)
    Image.fromarray(rng.integers(0, 256, (48, 48, 3), np.uint8)).save(root / "face.jpg")
    sound(root / "noise.wav", rng.integers(-3000, 3000, (3 * SAMPLE_RATE, 1)).astype("<i2"))
    ids = [f"video{i // 10}_{i % 10}" for i in range(utterances)]
    for utterance_id in ids:
        folder = root / "MOSEI_RAW_PROCESSED" / utterance_id
        folder.mkdir(parents=True)
        os.link(root / "noise.wav", folder / "audio.wav")
        for image in range(2):
            os.link(root / "face.jpg", folder / f"image_{image}.jpg")
    (root / "MOSEI_SPLIT").mkdir()
    for split, part in (("train", ids[2:]), ("valid", ids[:1]), ("test", ids[1:2])):
        (root / "MOSEI_SPLIT" / f"{split}_split.txt").write_text("".join(f"{i}\n" for i in part))
    meta = {i: {"text": f"sentence {i} of average length, as people speak", "label": [0, 1, 0, 0, 1, 0]} for i in ids}
    (root / "MOSEI_RAW_PROCESSED" / "meta.pkl").write_bytes(pickle.dumps(meta))


def peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main(utterances: int, folder: Path) -> dict[str, float]:
    write(folder / "raw", utterances)
    start = peak()
    preprocess("mosei", folder / "raw", folder / "out", Options(interval_ms=34, frame_count="images"))
    prepared = peak()
    batches = open_batches(folder / "out" / "mosei", "train")
    order = np.random.default_rng(0).permutation(len(batches))
    seen = 0
    for first in range(0, len(order), BATCH):
        seen += batches.take(order[first : first + BATCH]).inputs["audio"].nbytes
    return {"start": start, "prepared": prepared, "epoch": peak(), "audio": seen / 2**20}


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]), Path(sys.argv[2]))))
