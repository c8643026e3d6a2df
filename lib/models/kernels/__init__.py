"""The loops over time in C++, where `./run_all.sh kernels` has built them; nothing needs them.

They call the operations of the Python loops on the same operands in the same order (`loops.cpp`), so both give the
same bits, and a training may change from one to the other. What is saved is the time of Python between small
operations. Nothing is built here; a library that does not fit this torch, this Python and this source is not found.
"""

import hashlib
import sys
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

SOURCE = Path(__file__).with_name("loops.cpp")
FLAGS = ("-O3", "-std=c++20", "-fPIC", "-shared", "-ffp-contract=off")
"""Of the compiler; neither they nor the user's surroundings may make arithmetic faster and different."""

_calls = 0


def for_tensors(*tensors: Tensor | None) -> Any | None:
    """The compiled loops, if they are there and these tensors are theirs: on the CPU, of one floating type, plain.

    Within autocast each product of the Python loop decides how it rounds, so that stays with Python.
    """
    given = [tensor for tensor in tensors if tensor is not None]
    if (
        (loops := built()) is None
        or torch.is_autocast_enabled("cpu")
        or any(t.device.type != "cpu" or type(t) not in (Tensor, torch.nn.Parameter) for t in given)
        or {t.dtype for t in given} not in ({torch.float32}, {torch.float64})
    ):
        return None
    global _calls
    _calls += 1
    return loops


def calls() -> int:
    """How often this process has run a compiled loop."""
    return _calls


def words_since(before: int) -> str:
    """What the name of an engine says more if compiled loops ran after `calls()` was `before`."""
    return ", compiled steps" if _calls > before else ""


@cache
def built() -> Any | None:
    """The library of this torch, Python and source, loaded once; None where there is none that can be loaded."""
    for path in sorted(folder().glob("loops-*.so")):
        try:
            if path.name == file_name(path.read_bytes()):
                return load(path)
        except OSError:  # unreadable, or it asks for what this machine's torch does not have
            continue
    return None


def load(path: Path) -> Any:
    """The operations of a library; a process registers them once. Raises OSError if it cannot be loaded."""
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
