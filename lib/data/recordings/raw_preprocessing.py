"""Decodes a raw corpus once: one small file per utterance, so that training meets neither JPEGs nor problems.

`<out>/<kind>/utterances/<id>.npz` holds faces and pieces and the hash of what they were made from; a file whose
hash still agrees is not made again, so an interrupted call continues where it ended. `prepared.json` is written
last and lists splits, texts, labels and problems.
"""

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import get_args

import numpy as np
from joblib import Parallel, delayed
from threadpoolctl import ThreadpoolController

from lib.data.corpus import SPLITS
from lib.data.io.npz_files import read_arrays
from lib.data.recordings.raw_decoding import Options, Origin, content_key, decode, find_detector
from lib.data.recordings.raw_layout import EMOTIONS, SAFE_ID, Kind, Problem, RawItem, read
from lib.errors import InputError
from lib.files import atomic_path, write_json

LIST = "prepared.json"
_LIBRARIES = ThreadpoolController()  # of NumPy and torch; looked up once, since that opens them


@dataclass(frozen=True)
class Outcome:
    """What became of one utterance; `made` is false if its file was there already."""

    id: str
    key: str
    frames: int
    pieces: int
    problems: tuple[Problem, ...]
    origins: Mapping[str, int]
    made: bool


def preprocess(
    kind: Kind,
    raw: Path,
    out: Path,
    options: Options | None = None,
    *,
    root: Path | None = None,
    workers: int = 1,
    watch: Callable[[Outcome], None] | None = None,
) -> dict[str, object]:
    """Prepare every utterance and return what `prepared.json` says. Below `root` lie a detector's weights.

    At most two utterances per worker are under way, with a few images each. Where all images are ready crops no
    detector is recorded, since none looked at them. Raises InputError for a corpus that cannot be listed, an unknown or
    unusable detector, and a split of which nothing is left.
    """
    options = options or Options()
    find_detector(options.detector)
    detection = _detection(options, root)
    corpus = read(kind, raw)
    folder = Path(out) / kind
    items = [item for split in SPLITS for item in corpus.splits[split]]
    jobs = (delayed(prepare)(item, folder, options, root, detection) for item in items)
    outcomes = {}
    for outcome in Parallel(n_jobs=workers, return_as="generator_unordered", pre_dispatch="2*n_jobs")(jobs):
        outcomes[outcome.id] = outcome
        if watch:
            watch(outcome)
    problems = [*corpus.problems, *(problem for item in items for problem in outcomes[item.id].problems)]
    splits, faces = {}, {}
    for split in SPLITS:
        origins = sum((Counter(outcomes[item.id].origins) for item in corpus.splits[split]), Counter())
        faces[split] = {"images": origins.total()} | {name: origins[name] for name in get_args(Origin)}
        kept = [item for item in corpus.splits[split] if outcomes[item.id].frames]
        if not kept:
            raise InputError(f"no utterance of the {split} split has an image", where=raw)
        splits[split] = [_entry(item, outcomes[item.id]) for item in kept]
    if all(of_split["images"] == of_split["given"] for of_split in faces.values()):
        options = replace(options, detector=None)
        detection = _detection(options, root)
    prepared = {
        "kind": kind,
        "synthetic": corpus.synthetic,
        "options": asdict(options),
        "label_names": list(EMOTIONS[kind]),
        "face_detection": detection,
        "faces": faces,
        "splits": splits,
        "problems": [asdict(problem) for problem in problems],
    }
    write_json(folder / LIST, prepared)
    return prepared


def utterance_file(folder: Path, utterance_id: str) -> Path:
    """Raises InputError for an id that would lead out of the folder."""
    if not SAFE_ID.fullmatch(utterance_id):
        raise InputError(f"unsafe utterance id {utterance_id!r}")
    return folder / "utterances" / f"{utterance_id}.npz"


@_LIBRARIES.wrap(limits=1)
def prepare(
    item: RawItem, folder: Path, options: Options, root: Path | None, detection: Mapping[str, object]
) -> Outcome:
    """Decode one utterance into its file, unless a sound file with the same key is there.

    `detection` says which detector it is. On one thread, as a worker beside others has: the last digits of a
    spectrogram must not depend on the cores.
    """
    key, path = content_key(item, options, _identity(detection)), utterance_file(folder, item.id)
    if (found := _stored(path, item.id, key)) is not None:
        return found
    decoded = decode(item, options, root)
    problems = json.dumps([asdict(problem) for problem in decoded.problems])
    with atomic_path(path) as temporary, temporary.open("wb") as handle:
        np.savez(
            handle,
            faces=decoded.faces,
            pieces=decoded.pieces,
            key=np.array(key),
            problems=np.array(problems),
            origins=np.array(json.dumps(decoded.origins)),
        )
    frames, pieces = len(decoded.faces), len(decoded.pieces)
    return Outcome(item.id, key, frames, pieces, decoded.problems, decoded.origins, made=True)


def _stored(path: Path, utterance_id: str, key: str) -> Outcome | None:
    try:
        stored, told, counted, faces, pieces = read_arrays(path, ("key", "problems", "origins", "faces", "pieces"))
        if str(stored) != key:
            return None
        problems = tuple(Problem(**problem) for problem in json.loads(str(told)))
        origins = {name: int(count) for name, count in json.loads(str(counted)).items()}
        return Outcome(utterance_id, key, len(faces), len(pieces), problems, origins, made=False)
    except (InputError, ValueError, TypeError, AttributeError, RecursionError):
        return None


def _detection(options: Options, root: Path | None) -> dict[str, object]:
    """Which detector it was. Without one OpenCV is not needed."""
    if options.detector is None:
        return {"detector": None, "is_mtcnn": False, "note": "no detector: ready crops, or the crop rule"}
    # By name, as the detectors themselves: what makes batches of prepared files need not know them.
    return import_module("lib.data.recordings.face_detection").describe(options.detector, root)


def _identity(detection: Mapping[str, object]) -> dict[str, object]:
    """What tells detectors apart, without what is said of them in words."""
    return {name: fact for name, fact in detection.items() if name != "note"}


def _entry(item: RawItem, outcome: Outcome) -> dict[str, object]:
    return {"id": item.id, "key": outcome.key, "text": item.text, "label": item.label.tolist()}
