"""The two trained models in `best/` of the MFN repository (spec colearning 9.3).

They are whole modules pickled by Python 2 and torch 0.4 on a GPU. What the file calls classes and tensors
is read into inert records; then the weights, the configuration and the states of the last forward pass are
taken from them. Neither torch nor any of its old classes is needed.

Layout of the file: three small pickles (magic number, format version, machine), the module with its storages
replaced by persistent ids, a list of storage keys, and for each key a 64-bit count and that many float32.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from lib.data.io import safe_pickle
from lib.data.io.impostors import CUT_SHORT, refuse
from lib.data.io.safe_pickle import Record
from lib.errors import InputError

_MAGIC = 0x1950A86A20F9469CFC6C
_FORMAT = 1001
_MOST_WEIGHTS = 10**7  # of one tensor; keeps a forged count from allocating memory
_BLOCKS = ("att1", "att2", "gamma1", "gamma2", "out")
_STATES = ("h_l", "h_a", "h_v", "mem")


@dataclass(frozen=True)
class Checkpoint:
    """A trained MFN.

    `input_dims` and `hidden` are (text, audio, video); `widths` and `dropouts` belong to the blocks att1,
    att2, gamma1, gamma2, out. `state_dict` has the reference's keys (`lstm_l.weight_ih`, `att1_fc1.weight`,
    ...) and float32 arrays. `states` holds what the model kept of its last forward pass, over the 229
    validation segments: `h_l`, `h_a`, `h_v` and `mem`, float32 `(229, width)`.
    """

    input_dims: tuple[int, int, int]
    hidden: tuple[int, int, int]
    memory: int
    widths: tuple[int, int, int, int, int]
    dropouts: tuple[float, float, float, float, float]
    state_dict: Mapping[str, np.ndarray]
    states: Mapping[str, np.ndarray]


class _Module(Record):
    """Any torch module; the state is the instance's `__dict__`."""


@dataclass(frozen=True)
class _Tensor:
    """A view into a storage that is read later."""

    storage: str
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]

    def read(self, storages: Mapping[str, np.ndarray]) -> np.ndarray:
        values = storages[self.storage]
        last = self.offset + sum((n - 1) * step for n, step in zip(self.shape, self.stride, strict=True))
        fits = self.offset >= 0 and min(self.shape) > 0 and min(self.stride) > 0 and last < len(values)
        if not fits or math.prod(self.shape) > len(values):
            raise InputError("a tensor reaches beyond its storage")
        strides = [step * values.itemsize for step in self.stride]
        view = np.lib.stride_tricks.as_strided(values[self.offset :], self.shape, strides, writeable=False)
        return view.astype(np.float32)


def _tensor(
    storage: str,
    offset: int,
    shape: tuple[int, ...],
    stride: tuple[int, ...],
    requires_grad: bool,
    hooks: object,
) -> _Tensor:
    """Stands for `torch._utils._rebuild_tensor_v2`."""
    return _Tensor(storage, offset, tuple(shape), tuple(stride))


def _nothing() -> None:
    """Stands for a handle to the GPU backend, which no longer exists."""


_ALLOWED = {
    ("__main__", "MFN"): _Module,
    ("torch.nn.modules.rnn", "LSTMCell"): _Module,
    ("torch.nn.modules.linear", "Linear"): _Module,
    ("torch.nn.modules.dropout", "Dropout"): _Module,
    ("torch.nn.backends.thnn", "_get_thnn_function_backend"): _nothing,
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("torch", "FloatStorage"): "float32",
}


def load(path: Path) -> Checkpoint:
    """Read `mfn_mae.pt` or `mfn_acc.pt`.

    Raises `InputError` if the file is missing, damaged, asks for anything but the classes above, or holds
    another model than the MFN.
    """
    path = Path(path)
    refuse(path, how="see ./run_all.sh data get mfn_checkpoints")
    try:
        with path.open("rb") as handle:
            if (safe_pickle.load(handle), safe_pickle.load(handle)) != (_MAGIC, _FORMAT):
                raise InputError("not a checkpoint of torch 0.4")
            safe_pickle.load(handle)  # the machine it was written on
            module = safe_pickle.load(handle, allow=_ALLOWED, persistent=_resolve)
            keys = safe_pickle.load(handle)
            if not isinstance(keys, list):  # a set would give the weights another order in every process
                raise InputError(f"its weights are listed in a {type(keys).__name__}, expected a list")
            storages = _read_storages(handle, keys)
        return _checkpoint(module, storages)
    except InputError as error:
        raise InputError(error.what, where=path, todo=error.todo) from None
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise InputError(f"not an MFN checkpoint ({type(error).__name__}: {error})", where=path) from error


def _resolve(pid: object) -> object:
    """A class with its source text becomes the class; a storage becomes its key."""
    match pid:
        case ("module", type() as cls, *_) if issubclass(cls, _Module):
            return cls
        case ("storage", "float32", str() as key, str(), int(), None):
            return key
    raise InputError("a persistent id is neither a module nor a float32 storage")


def _read_storages(handle: BinaryIO, keys: list[str]) -> dict[str, np.ndarray]:
    storages = {}
    for key in keys:
        count = int.from_bytes(handle.read(8), "little", signed=True)
        values = handle.read(4 * count) if 0 < count <= _MOST_WEIGHTS else b""
        if len(values) != 4 * count:
            raise InputError("the weights are cut short", todo=CUT_SHORT)
        storages[key] = np.frombuffer(values, dtype="<f4")
    return storages


def _checkpoint(module: _Module, storages: Mapping[str, np.ndarray]) -> Checkpoint:
    parts = {name: part.state for name, part in module.state["_modules"].items()}
    tensors = {
        f"{name}.{key}": tensor
        for name, state in parts.items()
        for key, tensor in state["_parameters"].items()
        if tensor is not None
    }
    cells = [parts[f"lstm_{modality}"] for modality in "lav"]
    return Checkpoint(
        input_dims=tuple(cell["input_size"] for cell in cells),
        hidden=tuple(cell["hidden_size"] for cell in cells),
        memory=module.state["mem_dim"],
        widths=tuple(parts[f"{block}_fc1"]["out_features"] for block in _BLOCKS),
        dropouts=tuple(parts[f"{block}_dropout"]["p"] for block in _BLOCKS),
        state_dict={key: tensor.read(storages) for key, tensor in tensors.items()},
        states={name: module.state[name].read(storages) for name in _STATES},
    )
