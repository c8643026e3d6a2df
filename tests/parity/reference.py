"""Reference vectors as the parity tests see them."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Vectors:
    """One reference file: `config` decoded, arrays by key."""

    path: Path
    arrays: dict[str, np.ndarray]

    @property
    def config(self) -> dict:
        return json.loads(str(self.arrays["config"])) if "config" in self.arrays else {}

    def __getitem__(self, key: str) -> np.ndarray:
        return self.arrays[key]

    def __contains__(self, key: str) -> bool:
        return key in self.arrays

    def tensor(self, key: str, dtype: torch.dtype | None = None) -> torch.Tensor:
        return torch.from_numpy(np.array(self.arrays[key])).to(dtype)

    def double(self, key: str) -> torch.Tensor:
        """In float64 if it holds floating-point numbers, as it is otherwise."""
        found = self.tensor(key)
        return found.double() if found.is_floating_point() else found

    def keys(self, *prefixes: str) -> list[str]:
        """The whole keys whose first component is one of these."""
        return [key for key in self.arrays if key.split("/")[0] in prefixes]

    def under(self, prefix: str) -> dict[str, np.ndarray]:
        """Arrays whose key starts with `prefix/`, by the rest of the key."""
        prefix = prefix.rstrip("/") + "/"
        return {key.removeprefix(prefix): value for key, value in self.arrays.items() if key.startswith(prefix)}

    def names(self, prefix: str) -> list[str]:
        """First path components under `prefix`, in file order."""
        return list(dict.fromkeys(key.split("/")[0] for key in self.under(prefix)))

    def state_dict(self, dtype: torch.dtype | None = None) -> dict[str, torch.Tensor]:
        """The weights under `w/`; only floating-point tensors take `dtype`."""
        tensors = {key: torch.from_numpy(np.array(value)) for key, value in self.under("w").items()}
        return {key: t.to(dtype) if t.is_floating_point() else t for key, t in tensors.items()}


def load_vectors(path: Path) -> Vectors:
    with np.load(path, allow_pickle=False) as archive:
        return Vectors(path, {key: archive[key] for key in archive.files})


def kind_of(path: Path) -> tuple[str, str] | None:
    """(topic, kind) of a file, or None if it cannot be read."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            return path.parent.name, str(archive["kind"])
    except Exception:
        return None


understood: set[tuple[str, str]] = set()


def golden(topic: str, *kinds: str):
    """Mark a test as the one that understands these kinds of a topic."""
    for kind in kinds:
        understood.add((topic, kind))
    return pytest.mark.golden(topic, kinds)
