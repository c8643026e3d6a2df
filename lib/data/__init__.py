"""Files in, `Corpus` out; knows nothing of models. Which corpora there are stands in `corpora`."""

from pathlib import Path

from lib.data import corpora
from lib.data.corpus import Corpus
from lib.data.folders import data_root as data_root
from lib.data.io.features import Nonfinite
from lib.errors import InputError

_FEWEST = 4
"""Samples of a stand-in; how many it takes beyond that depends on the corpus."""


def load(name: str, root: Path | str | None = None, *, nonfinite: Nonfinite = "error", **options: object) -> Corpus:
    """The corpus called `name`, read from the data folder `root` (see `data_root`).

    `nonfinite` says what becomes of features that are NaN, infinite or too large for float32: they are refused, or set
    to 0 and counted in `Source.warnings`; words and stand-ins have none. `options` are those of the corpus' reader, for
    example `split="session"` for IEMOCAP. Raises `InputError` for an unknown name or option, missing or damaged files,
    and values that no paper defines (NaN, labels out of range).
    """
    corpus = corpora.get(name)
    if strange := [option for option in options if not corpus.stands_for and option not in corpus.options]:
        there = ", ".join(option for option in corpus.options if option != "nonfinite") or "none"
        raise InputError(f"no option {strange[0]!r}", where=name, todo=f"options: {there}")
    samples = options.get("samples")
    if corpus.stands_for and isinstance(samples, int) and samples < _FEWEST:
        what = f"{samples} samples cannot be cut into training, validation and test"
        raise InputError(what, where=name, todo="raise `samples`")
    if corpus.measured:
        options["nonfinite"] = nonfinite
    return corpus.load(data_root(root), **options)


def files(name: str, root: Path | str | None = None) -> list[Path]:
    """The files the corpus is read from, whether they exist or not; none for a stand-in corpus."""
    return corpora.get(name).files(data_root(root))


def reader_module(name: str) -> str:
    """Dotted name of the module whose code decides what `load(name)` returns."""
    return corpora.get(name).module
