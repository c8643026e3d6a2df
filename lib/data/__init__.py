"""Files in, `Corpus` out; knows nothing of models."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from operator import attrgetter
from pathlib import Path

from lib.data.corpus import Corpus
from lib.data.io.features import Nonfinite
from lib.errors import InputError


@dataclass(frozen=True)
class _Entry:
    """Where a corpus' reader lives; readers are imported only when asked for. No `files`: nothing on disk.

    `measured`: it reads numbers that somebody else computed, so not all need be finite.
    """

    module: str
    read: str = "read"
    files: str | None = "files"
    measured: bool = True

    def get(self, name: str) -> Callable:
        return attrgetter(name)(import_module(self.module))


_FEWEST = 4
"""Samples of a stand-in; how many it takes beyond that depends on the corpus."""
_CORPORA = {
    "mosi": _Entry("lib.data.arrays.mfn_h5", "MOSI.read", "MOSI.files"),
    "mmmo": _Entry("lib.data.arrays.mfn_h5", "MMMO.read", "MMMO.files"),
    "pom": _Entry("lib.data.arrays.mfn_h5", "POM.read", "POM.files"),
    "iemocap": _Entry("lib.data.iemocap.iemocap_stacked"),
    "mosi_utterances": _Entry("lib.data.mosi.mosi_utterances"),
    "mosi_words": _Entry("lib.data.mosi.mosi_words"),
    "mosi_lmf": _Entry("lib.data.arrays.lmf_pickles", "MOSI.read", "MOSI.files"),
    "pom_lmf": _Entry("lib.data.arrays.lmf_pickles", "POM.read", "POM.files"),
    "iemocap_lmf": _Entry("lib.data.arrays.lmf_pickles", "IEMOCAP.read", "IEMOCAP.files"),
    "mosi_lmf_like": _Entry("lib.data.stand_ins.synthetic_lmf", "load_mosi", None),
    "pom_lmf_like": _Entry("lib.data.stand_ins.synthetic_lmf", "load_pom", None),
    "iemocap_lmf_like": _Entry("lib.data.stand_ins.synthetic_lmf", "load_iemocap", None),
    "mosei_emotions": _Entry("lib.data.mosei.mosei_emotions"),
    "iemocap_emotions": _Entry("lib.data.iemocap.iemocap_emotions"),
    "iemocap_nine": _Entry("lib.data.iemocap.iemocap_nine"),
    "meld_text": _Entry("lib.data.dialogues.meld_text", measured=False),
    "mosei_emotions_like": _Entry("lib.data.stand_ins.synthetic_emotions", "load_mosei", None),
    "iemocap_emotions_like": _Entry("lib.data.stand_ins.synthetic_emotions", "load_iemocap", None),
    "iemocap_conversations": _Entry("lib.data.dialogues.spcl_pickles", "IEMOCAP.read", "IEMOCAP.files"),
    "meld_conversations": _Entry("lib.data.dialogues.spcl_pickles", "MELD.read", "MELD.files"),
    "iemocap_conversations_mmgcn": _Entry("lib.data.dialogues.mmgcn_pickles", "IEMOCAP.read", "IEMOCAP.files"),
    "meld_conversations_mmgcn": _Entry("lib.data.dialogues.mmgcn_pickles", "MELD.read", "MELD.files"),
    "mosi_conversations": _Entry("lib.data.dialogues.mosi_conversations"),
    "iemocap_conversations_like": _Entry("lib.data.stand_ins.synthetic_conversations", "load_iemocap", None),
    "meld_conversations_like": _Entry("lib.data.stand_ins.synthetic_conversations", "load_meld", None),
    "iemocap_handcrafted": _Entry("lib.data.recordings.handcrafted_corpus", "IEMOCAP.read", "IEMOCAP.files"),
    "mosei_handcrafted": _Entry("lib.data.recordings.handcrafted_corpus", "MOSEI.read", "MOSEI.files"),
    "iemocap_raw": _Entry("lib.data.recordings.streamed_corpus", "IEMOCAP.read", "IEMOCAP.files", measured=False),
    "mosei_raw": _Entry("lib.data.recordings.streamed_corpus", "MOSEI.read", "MOSEI.files", measured=False),
    "iemocap_raw_like": _Entry("lib.data.stand_ins.synthetic_raw", "write", None),
    "mosei_raw_like": _Entry("lib.data.stand_ins.synthetic_raw", "write", None),
    "iemocap_like": _Entry("lib.data.stand_ins.synthetic", "load_iemocap_like", None),
    "mosi_like": _Entry("lib.data.stand_ins.synthetic", "load_mosi_like", None),
}


def load(name: str, root: Path | str | None = None, *, nonfinite: Nonfinite = "error", **options: object) -> Corpus:
    """The corpus called `name`, read from the data folder `root` (see `data_root`).

    `nonfinite` says what becomes of features that are NaN, infinite or too large for float32: they are refused, or set
    to 0 and counted in `Source.warnings`; words and stand-ins have none. `options` are those of the corpus' reader, for
    example `split="session"` for IEMOCAP. Raises `InputError` for an unknown name, missing or damaged files, and values
    that no paper defines (NaN, labels out of range).
    """
    entry = _entry(name)
    samples = options.get("samples")
    if entry.files is None and isinstance(samples, int) and samples < _FEWEST:
        what = f"{samples} samples cannot be cut into training, validation and test"
        raise InputError(what, where=name, todo="raise `samples`")
    if entry.files is not None and entry.measured:
        options["nonfinite"] = nonfinite
    return entry.get(entry.read)(data_root(root), **options)


def data_root(given: Path | str | None = None) -> Path:
    """`given`, else the variable `REPRISE_DATA`, else `data/` in the workspace."""
    return Path(given or os.environ.get("REPRISE_DATA") or Path(__file__).resolve().parents[2] / "data")


def files(name: str, root: Path | str | None = None) -> list[Path]:
    """The files the corpus is read from, whether they exist or not; none for a stand-in corpus."""
    entry = _entry(name)
    return entry.get(entry.files)(data_root(root)) if entry.files else []


def reader_module(name: str) -> str:
    """Dotted name of the module whose code decides what `load(name)` returns."""
    return _entry(name).module


def _entry(name: str) -> _Entry:
    if name not in _CORPORA:
        raise InputError(f"unknown corpus {name!r}", todo=f"known: {', '.join(sorted(_CORPORA))}")
    return _CORPORA[name]
