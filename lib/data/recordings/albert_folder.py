"""A released ALBERT v2 checkpoint in a local folder: `config.json`, `model.safetensors`, `tokenizer.json`.

These are the files under `albert-base-v2` on the Hugging Face hub. Nothing is fetched here.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import numpy as np

from lib.data.io.impostors import refuse
from lib.errors import InputError
from lib.files import sha256_file

CONFIG, WEIGHTS, TOKENS = "config.json", "model.safetensors", "tokenizer.json"
_ARGUMENTS = (
    *("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "vocab_size", "embedding_size"),
    *("max_position_embeddings", "type_vocab_size", "hidden_dropout_prob", "attention_probs_dropout_prob"),
    *("hidden_act", "initializer_range"),
)


def arguments(folder: Path) -> dict[str, int | float | str]:
    """Of `lib.models.albert.Albert`. Raises InputError for a missing or damaged config."""
    path = _present(folder, CONFIG)
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        return {name: config[name] for name in _ARGUMENTS if name in config}
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise InputError("not a configuration of ALBERT", where=path) from error


def weights(folder: Path) -> dict[str, str]:
    """Path and SHA-256 of the weights, as `lib.training.recipe.ModelSpec` takes them."""
    path = _present(folder, WEIGHTS)
    return {"file": str(path), "sha256": sha256_file(path)}


@dataclass(frozen=True)
class AlbertTokenizer:
    """Texts to ids and mask, cut and padded behind to `length`. Needs the package `tokenizers` (the extra `albert`)."""

    path: Path
    sha256: str
    length: int

    def __call__(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        coder = _tokenizers().Tokenizer.from_file(str(self.path))
        coder.enable_truncation(self.length)
        coder.enable_padding(length=self.length, pad_id=0, pad_token="<pad>")
        found = coder.encode_batch(list(texts))
        return np.array([f.ids for f in found], np.int64), np.array([f.attention_mask for f in found], np.int64)

    def __repr__(self) -> str:
        return f"AlbertTokenizer({self.sha256}, {self.length})"


def tokenizer(folder: Path, length: int) -> AlbertTokenizer:
    """Raises InputError for a missing file or package."""
    path = _present(folder, TOKENS)
    _tokenizers()
    return AlbertTokenizer(path, sha256_file(path), length)


def _tokenizers():
    try:
        return import_module("tokenizers")
    except ImportError as error:
        todo = "pip install 'tokenizers>=0.20', the extra `albert` of pyproject.toml"
        raise InputError("the package tokenizers is not installed", todo=todo) from error


def _present(folder: Path, name: str) -> Path:
    path = Path(folder) / name
    refuse(path, how="download albert-base-v2 from the Hugging Face hub into it")
    return path
