"""From corpora of sequences to what LMF reads: mean audio and video (spec low_rank_fusion, 4.4)."""

from collections.abc import Sequence
from dataclasses import replace

from lib.data.arrays.sequences import time_mean
from lib.data.corpus import Corpus


def averaged(corpus: Corpus, modalities: Sequence[str] = ("audio", "video")) -> Corpus:
    """The corpus with these modalities averaged over all steps, padding included as in the release (quirk 9)."""
    splits = {}
    for name, split in corpus.splits.items():
        means = {m: time_mean(x)[:, None] if m in modalities else x for m, x in split.features.items()}
        splits[name] = replace(split, features=means)
    return replace(corpus, splits=splits)


def without_label(corpus: Corpus, name: str) -> Corpus:
    """The corpus without one of its label columns. Raises ValueError if it has none of that name."""
    if name not in corpus.label_names:
        raise ValueError(f"no label {name!r} among {', '.join(corpus.label_names)}")
    kept = [column for column, label in enumerate(corpus.label_names) if label != name]
    splits = {key: replace(split, labels=split.labels[:, kept]) for key, split in corpus.splits.items()}
    return replace(corpus, label_names=tuple(corpus.label_names[column] for column in kept), splits=splits)
