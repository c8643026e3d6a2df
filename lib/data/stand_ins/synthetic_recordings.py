"""Stand-ins for the raw corpora, decoded: written and prepared once per machine, beside the cache."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from lib.data.corpus import SPLITS
from lib.data.recordings import raw_decoding
from lib.data.recordings.raw_batches import Tokenizer
from lib.data.recordings.raw_decoding import Options
from lib.data.recordings.raw_preprocessing import preprocess
from lib.data.recordings.streamed_corpus import IEMOCAP, MOSEI, RawReader, StreamedCorpus
from lib.data.stand_ins import synthetic_handcrafted, synthetic_raw
from lib.data.stand_ins.synthetic import through_files
from lib.files import write_json

_VERSION = 1  # of what is written
_SHOWN = "shown.json"


def prepared(
    reader: RawReader,
    sizes: Mapping[str, int],
    *,
    frames: int = 6,
    seed: int = 0,
    options: Options | None = None,
    features: bool = False,
    workers: int = 1,
) -> tuple[Path, dict[str, dict[str, int]]]:
    """The data folder of a stand-in, and what each utterance shows (`synthetic_raw.write`).

    `sizes` counts the utterances of each split, `frames` the images of each. `options` say how they are decoded.
    `features` adds IEMOCAP's hand-crafted ones. What is there already is recognised by its content, so runs and chunks
    share it.
    """
    options = options or Options()

    def write(folder: Path) -> None:
        shown = synthetic_raw.write(reader.kind, reader.features(folder), sizes, frames=frames, seed=seed)
        preprocess(reader.kind, reader.features(folder), reader.folder(folder).parent, options, workers=workers)
        if features:
            synthetic_handcrafted.write(reader.folder(folder), reader.features(folder))
        write_json(folder / _SHOWN, shown)

    identity = {"kind": f"{reader.kind} recordings", "versions": [_VERSION, raw_decoding.VERSION], "features": features}
    identity |= {"sizes": dict(sizes), "frames": frames, "seed": seed, "options": asdict(options)}
    return through_files(identity, write, lambda folder: (folder, json.loads((folder / _SHOWN).read_text("utf-8"))))


def load_iemocap(
    root: Path, samples: int, seed: int = 0, frames: int = 6, tokenizer: Tokenizer | None = None
) -> StreamedCorpus:
    """An IEMOCAP-like corpus of `samples` utterances, a fifth of them each for validation and test.

    It does not lie under the data folder `root`.
    """
    return _load(IEMOCAP, samples, seed, frames, tokenizer)


def load_mosei(
    root: Path, samples: int, seed: int = 0, frames: int = 6, tokenizer: Tokenizer | None = None
) -> StreamedCorpus:
    """A MOSEI-like corpus; otherwise as `load_iemocap`."""
    return _load(MOSEI, samples, seed, frames, tokenizer)


def _load(reader: RawReader, samples: int, seed: int, frames: int, tokenizer: Tokenizer | None) -> StreamedCorpus:
    held_out = max(1, samples // 5)
    sizes = dict(zip(SPLITS, (samples - 2 * held_out, held_out, held_out), strict=True))
    return reader.read(prepared(reader, sizes, frames=frames, seed=seed)[0], tokenizer)
