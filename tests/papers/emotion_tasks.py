"""Small corpora with emotions, made in memory, for the tests of the emotion-embedding notebook."""

import csv
from pathlib import Path

import numpy as np

from lib.data.corpus import Corpus, Source, Split
from lib.data.dialogues import meld_text
from lib.papers.emotion_embeddings.study import Emotions

WIDTHS = {"text": 8, "audio": 5, "video": 4}
EMOTIONS = {
    "mosei_emotions_like": ("anger", "disgust", "fear", "happy", "sad", "surprise"),
    "iemocap_emotions_like": ("neutral", "happy", "sad", "angry"),
}


def small_task(dataset: str, name: str = "", *, samples: int = 60, steps: int = 6) -> Emotions:
    """The emotions' vectors, mixed into noise; one emotion per sample, or any number of them on the MOSEI-like."""
    rng, names = np.random.default_rng(0), EMOTIONS[dataset]
    vectors = rng.normal(size=(len(names), WIDTHS["text"]))
    maps = {m: rng.normal(size=(WIDTHS["text"], width)) / 3 for m, width in WIDTHS.items()}
    splits = {}
    for split, n in (("train", samples), ("valid", samples // 2), ("test", samples // 2)):
        if dataset.startswith("mosei"):
            labels = rng.random((n, len(names))) < np.linspace(0.2, 0.6, len(names))
        else:
            labels = np.eye(len(names))[np.arange(n) % len(names)]
        labels = labels.astype(np.float32)
        features = {
            m: ((labels @ vectors @ maps[m])[:, None] + rng.normal(size=(n, steps, width))).astype(np.float32)
            for m, width in WIDTHS.items()
        }
        splits[split] = Split(features, np.full(n, steps), labels, tuple(f"{split} {i}" for i in range(n)))
    source = Source(dataset, True, {}, "none", "random", ceilings={"text": {"acc": 0.9}})
    return Emotions(name, dataset, Corpus("multilabel", names, WIDTHS, splits, source), vectors.astype(np.float32))


def write_meld(root: Path) -> None:
    """Three small tables in MELD's layout, a row per emotion, with the everyday words for it."""
    (root / "meld").mkdir(parents=True)
    for name in ("train", "dev", "test"):
        with (root / "meld" / f"{name}_sent_emo.csv").open("w", encoding="utf-8", newline="") as handle:
            writer = csv.writer(handle)
            writer.writerow(["Utterance", "Emotion", "Dialogue_ID", "Utterance_ID"])
            for number, (emotion, words) in enumerate(meld_text.EVERYDAY.items()):
                writer.writerow([" ".join(words) + " now, you see", emotion, 0, number])
