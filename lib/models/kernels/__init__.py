"""The loops over time in C++, where `./run_all.sh kernels` has built them; nothing needs them.

They give the bits of the Python loops, for the reasons that `loops.cpp` states, so a training may change from one to
the other. What is saved is the time of Python and of torch's own calls between small operations. Nothing is built here;
a library that does not fit this torch, this Python and this source is not found.
"""

import hashlib
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils._python_dispatch import is_in_torch_dispatch_mode

SOURCE = Path(__file__).with_name("loops.cpp")
FLAGS = ("-O3", "-std=c++20", "-fPIC", "-shared", "-ffp-contract=off")
"""Of the compiler; neither they nor the user's surroundings may make arithmetic faster and different."""


class Tally(NamedTuple):
    """How often a loop over steps ran, by who ran it."""

    compiled: int = 0
    python: int = 0

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(self.compiled + other.compiled, self.python + other.python)

    def __sub__(self, other: "Tally") -> "Tally":
        return Tally(self.compiled - other.compiled, self.python - other.python)

    @property
    def words(self) -> str:
        """What the name of an engine says more: that all loops were compiled, or nothing."""
        return ", compiled steps" if self.compiled and not self.python else ""


_tally = Tally()


def tally() -> Tally:
    """That of this process so far."""
    return _tally


def for_tensors(*tensors: Tensor | None) -> Any | None:
    """The compiled loops, if they are there and these tensors are theirs: on the CPU, of one floating type, plain.

    Within autocast each product of the Python loop decides how it rounds, and what watches torch's operations, as a
    counter of floating-point operations does, sees those of the Python loop alone: both stay with Python.
    """
    global _tally
    loops = built()
    if loops is not None and not _theirs([tensor for tensor in tensors if tensor is not None]):
        loops = None
    _tally += Tally(python=1) if loops is None else Tally(compiled=1)
    return loops


def _theirs(tensors: Sequence[Tensor]) -> bool:
    return (
        not torch.is_autocast_enabled("cpu")
        and not is_in_torch_dispatch_mode()
        and all(t.device.type == "cpu" and type(t) in (Tensor, torch.nn.Parameter) for t in tensors)
        and {t.dtype for t in tensors} in ({torch.float32}, {torch.float64})
    )


@cache
def built() -> Any | None:
    """The library of this torch, Python and source, loaded once; None where there is none that can be loaded."""
    for path in sorted(folder().glob("loops-*.so")):
        try:
            if path.name == file_name(path.read_bytes()):
                return load(path)
        except (OSError, RuntimeError):  # unreadable, or it asks for what this machine's torch does not have
            continue
    return None


def load(path: Path) -> Any:
    """The operations of a library; a process registers them once. Raises OSError or RuntimeError if it cannot."""
    if not hasattr(torch.ops.reprise_loops, "lstm_forward"):
        torch.ops.load_library(path)
    return torch.ops.reprise_loops


def folder() -> Path:
    """Where the library stands that was built from this source with these flags for this torch and Python."""
    told = hashlib.sha256("\n".join([SOURCE.read_text(encoding="utf-8"), *FLAGS]).encode()).hexdigest()
    python = f"python{sys.version_info.major}.{sys.version_info.minor}"
    workspace = Path(__file__).resolve().parents[3]
    return workspace / ".reprise" / "kernels" / f"torch{torch.__version__}-{python}-{told[:16]}"


def file_name(contents: bytes) -> str:
    """A library is named by its contents, so that a damaged one is known before it is loaded."""
    return f"loops-{hashlib.sha256(contents).hexdigest()[:16]}.so"
