"""Writes small corpora as people bring them: folders, the field's pickles, and computational sequences."""

import pickle
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import yaml

SPLITS = {"train": 12, "valid": 5, "test": 6}
WIDTHS = {"text": 4, "audio": 3, "video": 2}
STEPS = 6


def features(split: str, steps: int = STEPS, samples: int | None = None) -> dict[str, np.ndarray]:
    """Normal numbers with zeros in front of each sample, one step fewer per row."""
    rng, n = np.random.default_rng(sum(map(ord, split))), samples or SPLITS[split]
    lengths = 1 + np.arange(n) % steps
    found = {m: rng.normal(size=(n, steps, width)).astype(np.float32) for m, width in WIDTHS.items()}
    for x in found.values():
        for row, length in enumerate(lengths):
            x[row, : steps - length] = 0
    return found


def yaml_of(**changed: object) -> dict:
    told = {
        "label": "My reviews",
        "task": "classes",
        "labels": ["bad", "good"],
        "unit": "speaker",
        "licence": "CC BY 4.0; cite me",
        "splits": {split: f"{split}.npz" for split in SPLITS},
    }
    return {key: value for key, value in (told | changed).items() if value is not None}


def write_folder(folder: Path, **changed: object) -> Path:
    """`corpus.yaml` and an npz per split, two classes in turn, three speakers per split."""
    folder.mkdir(parents=True, exist_ok=True)
    for split, n in SPLITS.items():
        arrays = features(split) | {"labels": np.arange(n) % 2, "ids": np.array([f"{split}{k}" for k in range(n)])}
        np.savez(folder / f"{split}.npz", **arrays, units=np.array([f"{split} speaker {k % 3}" for k in range(n)]))
    (folder / "corpus.yaml").write_text(yaml.safe_dump(yaml_of(**changed)))
    return folder


def write_tables(folder: Path) -> Path:
    """The same as csv, the test split as Parquet, one step per utterance."""
    splits = {split: f"{split}.{'parquet' if split == 'test' else 'csv'}" for split in SPLITS}
    folder.mkdir(parents=True, exist_ok=True)
    for split, n in SPLITS.items():
        table = pd.DataFrame({f"audio.{k}": np.linspace(k, k + 1, n) for k in range(3)})
        table.insert(0, "id", [f"{split}_{row}" for row in range(n)])
        table.insert(1, "label", [("bad", "good")[row % 2] for row in range(n)])
        path = folder / splits[split]
        table.to_parquet(path, index=False) if split == "test" else table.to_csv(path, index=False)
    (folder / "corpus.yaml").write_text(yaml.safe_dump(yaml_of(splits=splits, unit="utterance")))
    return folder


def mmsa(aligned: bool = True) -> dict:
    """MMSA's layout, zeros in front; unaligned with 2 frames of sound and 3 of picture per step, zeros behind."""
    tree = {}
    for split, n in SPLITS.items():
        x = features(split)
        part = {"text": x["text"], "audio": x["audio"], "vision": x["video"]}
        if not aligned:
            rng, lengths = np.random.default_rng(3), 1 + np.arange(n) % STEPS
            rolled = [np.roll(row, length, axis=0) for row, length in zip(x["text"], lengths, strict=True)]
            part["text"] = np.stack(rolled)
            for key, times, width in (("audio", 2, 3), ("vision", 3, 2)):
                part[key] = rng.normal(size=(n, STEPS * times, width)).astype(np.float32)
                part[f"{key}_lengths"] = (lengths * times).tolist()
                for row, length in enumerate(lengths * times):
                    part[key][row, length:] = 0
        scores = np.linspace(-2.5, 3, n).astype(np.float32)
        tree[split] = part | {
            "raw_text": np.array(["a word"] * n, dtype=object),
            "text_bert": np.zeros((n, 3, STEPS), np.float32),
            "id": [f"{split}v{k // 2}$_${k}" for k in range(n)],
            "annotations": ["Negative" if s < 0 else "Positive" for s in scores],
            "classification_labels": (scores >= 0).astype(np.float32),
            "regression_labels": scores,
        }
    return tree


def mult(emotions: bool = False) -> dict:
    """MulT's layout; two of the sound's numbers in training are -inf."""
    tree = {}
    for split, n in SPLITS.items():
        x = features(split)
        if split == "train":
            x["audio"][3, -1, :2] = -np.inf
        present = (np.arange(n)[:, None] + np.arange(4)) % 2
        labels = np.stack([1 - present, present], axis=2) if emotions else np.linspace(-3, 3, n).reshape(n, 1, 1)
        ids = np.array([[f"{split}v{k // 2}".encode(), b"0.1", str(k).encode()] for k in range(n)], dtype=object)
        tree[split] = {"text": x["text"], "audio": x["audio"], "vision": x["video"], "labels": labels, "id": ids}
    return tree


def write_pickle(path: Path, tree: object) -> Path:
    path.write_bytes(pickle.dumps(tree, protocol=4))
    return path


def write_sequences(folder: Path) -> Path:
    """Six videos of two utterances of three words of a second each; sound at ten frames a second, faces at five."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    words = np.stack([np.arange(6.0), np.arange(6.0) + 1], axis=1)
    spans = np.array([[0.0, 3.0], [3.0, 6.0]])
    kinds = {
        "glove_vectors": (words, 4),
        "COVAREP": (_frames(10), 3),
        "FACET_4.2": (_frames(5), 2),
        "Opinion Segment Labels": (spans, 1),
    }
    for name, (times, width) in kinds.items():
        with h5py.File(folder / f"{name.split()[0]}.csd", "w") as file:
            for video in range(6):
                group = file.create_group(f"{name}/data/v{video}")
                values = rng.uniform(-3, 3, size=(len(times), width))
                group["features"], group["intervals"] = values, times
            file[name].create_group("metadata")
    rows = [f"v{video},{split}" for video, split in enumerate(("train", "train", "train", "valid", "test", "test"))]
    (folder / "folds.csv").write_text("video,split\n" + "\n".join(rows) + "\n")
    return folder


def _frames(rate: int) -> np.ndarray:
    starts = np.arange(6 * rate) / rate
    return np.stack([starts, starts + 1 / rate], axis=1)
