"""An original release (IEMOCAP, CMU-MOSEI, CREMA-D) to the raw layout of the end-to-end paper (spec end_to_end, 3)."""

import pickle
import shutil
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import cv2
import filelock

from lib.data.corpus import SPLITS
from lib.data.io.source_files import STAND_IN_NOTE
from lib.data.recordings import cremad_release, iemocap_release, mosei_release
from lib.data.recordings.cutting import Outcome, cut_all
from lib.data.recordings.raw_layout import Kind, Problem, listed_ids, processed_folder, split_list
from lib.errors import InputError
from lib.files import atomic_path, write_json

RECORD = "cut.json"
_READERS = {"iemocap": iemocap_release, "mosei": mosei_release, "cremad": cremad_release}


def is_release(kind: Kind, folder: Path) -> bool:
    """Whether `folder` holds an original release and not the raw layout."""
    return not processed_folder(kind, folder).is_dir() and _READERS[kind].is_release(folder)


def to_raw_layout(
    kind: Kind,
    release: Path,
    root: Path,
    *,
    workers: int = 1,
    watch: Callable[[Outcome], None] | None = None,
) -> dict[str, object]:
    """Write the utterances named in the lists of splits below `root`, then `meta.pkl`; return the record of it.

    The lists lie below `release` or already below `root`; those of CREMA-D are written if there are none. Folders that
    are there are kept, so an interrupted call continues. Problems of single utterances are collected. Raises InputError
    for missing lists, a release without an utterance, a stand-in in the way, and while another call writes to `root`.
    """
    processed = processed_folder(kind, root)
    if (processed / STAND_IN_NOTE).exists():
        raise InputError("a stand-in corpus lies there", where=processed, todo="choose another --layout")
    if kind == "cremad":
        cremad_release.write_lists(release, root)
    lists = {split: _list(kind, release, root, split) for split in SPLITS}
    wanted = {utterance_id for path in lists.values() for utterance_id in listed_ids(path)}
    recordings, meta, problems = _READERS[kind].read(release, root)
    recordings = [replace(r, cuts=tuple(cut for cut in r.cuts if cut.id in wanted)) for r in recordings]
    recordings = [recording for recording in recordings if recording.cuts]
    if not recordings:
        raise InputError("none of its utterances is in the lists of splits", where=release)
    processed.mkdir(parents=True, exist_ok=True)
    try:
        with filelock.FileLock(processed / ".lock", timeout=0):
            outcomes = {outcome.name: outcome for outcome in cut_all(recordings, workers=workers, watch=watch)}
            return _conclude(kind, root, lists, recordings, outcomes, meta, [p for p in problems if p.id in wanted])
    except filelock.Timeout as error:
        raise InputError("another call is writing there", where=processed) from error


def _conclude(kind, root, lists, recordings, outcomes, meta, problems: list[Problem]) -> dict[str, object]:
    for split, path in lists.items():
        if path != (target := split_list(kind, root, split)):
            with atomic_path(target) as temporary:
                shutil.copyfile(path, temporary)
    if kind == "iemocap":
        for recording in recordings:
            outcome = outcomes[recording.name]
            for cut in recording.cuts:
                meta[cut.id] |= {"sr": outcome.sample_rate, "fps": outcome.frame_rate}
    cut_ids = {cut.id for recording in recordings for cut in recording.cuts}
    with atomic_path(processed_folder(kind, root) / "meta.pkl") as path:
        path.write_bytes(pickle.dumps({i: entry for i, entry in meta.items() if i in cut_ids}, protocol=4))
    problems = [*problems, *(problem for recording in recordings for problem in outcomes[recording.name].problems)]
    record = {
        "kind": kind,
        "recordings": len(recordings),
        "utterances": len(cut_ids),
        "made": sum(outcome.made for outcome in outcomes.values()),
        "found": sum(outcome.found for outcome in outcomes.values()),
        "decoder": f"OpenCV {cv2.__version__}",
        "problems": [asdict(problem) for problem in problems],
    }
    write_json(processed_folder(kind, root) / RECORD, record)
    return record


def _list(kind: Kind, release: Path, root: Path, split: str) -> Path:
    found = next((p for p in (split_list(kind, f, split) for f in (root, release)) if p.is_file()), None)
    if found is None:
        raise InputError(
            f"no list of the {split} split",
            where=split_list(kind, root, split),
            todo="take it from github.com/wenliangdai/Multimodal-End2end-Sparse",
        )
    return found
