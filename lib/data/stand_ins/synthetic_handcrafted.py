"""Stand-ins for the hand-crafted features: computed from a prepared stand-in corpus, in the published layouts.

Simple measurements take the place of the published ones. Text: a fixed random vector per word. Audio: in columns 0-21
the log energies of 22 bands of the spectrogram, ten time steps per second, the others zero. Video: behind one unused
number the darkness of 35 fields of the lower half of the face. MOSEI's have no unused columns, and zeros behind up to
their fixed lengths.
"""

import re
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from lib.data.arrays.sequences import pad
from lib.data.corpus import SPLITS
from lib.data.iemocap.iemocap_handcrafted import AUDIO_WIDTH, WORD_WIDTH, write_phase
from lib.data.mosei import mosei_handcrafted
from lib.data.recordings.mel import BANDS
from lib.data.recordings.raw_batches import open_batches
from lib.data.recordings.raw_preprocessing import utterance_file

MOSEI_STEPS = {"text": 50, "audio": 500, "video": 500}
"""Of the released files."""
_BARK_BANDS, _STEP = 22, 8  # eight spectrogram frames of 12.5 ms
_ROWS, _COLUMNS = 5, 7  # as many fields as there are action units


def write(folder: Path, root: Path) -> None:
    """The three files of every split below `root`, for the utterances that `preprocess` left in `folder`."""
    for split in SPLITS:
        tables = {"text": {}, "audio": {}, "video": {}}
        batches = open_batches(folder, split)
        for utterance_id, text in zip(batches.ids, batches.texts, strict=True):
            with np.load(utterance_file(folder, utterance_id), allow_pickle=False) as arrays:
                faces, pieces = arrays["faces"], arrays["pieces"]
            audio = band_energies(pieces)
            units = {f"image_{side}_{i}": face_fields(face) for i, face in enumerate(faces) for side in "LR"}
            tables["text"][utterance_id] = word_vectors(text)
            tables["audio"][utterance_id] = {"L": audio, "R": audio}
            tables["video"][utterance_id] = units
        write_phase(root, split, tables)


def write_mosei(folder: Path, root: Path, steps: Mapping[str, int] = MOSEI_STEPS) -> None:
    """The file of every split below `root`, for the utterances that `preprocess` left in `folder`."""
    for split in SPLITS:
        batches = open_batches(folder, split)
        table = {}
        for utterance_id, text in zip(batches.ids, batches.texts, strict=True):
            with np.load(utterance_file(folder, utterance_id), allow_pickle=False) as arrays:
                faces, pieces = arrays["faces"], arrays["pieces"]
            bands = band_energies(pieces)[: mosei_handcrafted.WIDTHS["audio"]].T
            sequences = {"text": word_vectors(text), "audio": bands, "video": [face_fields(face)[1:] for face in faces]}
            columns = {m: pad([np.asarray(rows)], steps[m], "back")[0][0] for m, rows in sequences.items()}
            table[utterance_id] = columns
        mosei_handcrafted.write_phase(root, split, table)


def word_vectors(text: str) -> np.ndarray:
    """`(words, 300)`; a word's vector is drawn from a generator seeded with the word."""
    words = re.findall(r"\w+", text.lower())
    vectors = [np.random.default_rng(zlib.crc32(word.encode())).normal(size=WORD_WIDTH) for word in words]
    return np.array(vectors, np.float32).reshape(-1, WORD_WIDTH)


def band_energies(pieces: np.ndarray) -> np.ndarray:
    """`(763, time)`, standardised roughly to the range of -1 to 1."""
    frames = pieces[:, 0].transpose(0, 2, 1).reshape(-1, _STEP, BANDS).mean(axis=1)
    bands = np.array_split(frames, _BARK_BANDS, axis=1)
    energies = np.log10(1e-3 + np.stack([band.mean(axis=1) for band in bands])) / 3
    return np.concatenate([energies, np.zeros((AUDIO_WIDTH - _BARK_BANDS, energies.shape[1]))]).astype(np.float32)


def face_fields(face: np.ndarray) -> np.ndarray:
    """`(36,)`: 0, and how much darker than skin the fields of the lower half are."""
    grey = face[24:].mean(axis=2) / 255
    fields = [part for row in np.array_split(grey, _ROWS) for part in np.array_split(row, _COLUMNS, axis=1)]
    return np.array([0.0, *(2 * (0.6 - field.mean()) for field in fields)], np.float32)
