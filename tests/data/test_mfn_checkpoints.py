import os
import pickle
import struct
from typing import ClassVar

import numpy as np
import pytest

from lib.data.arrays.mfn_checkpoints import load
from lib.data.arrays.mfn_h5 import MOSI
from lib.data.io.hdf5 import read_numbers
from lib.errors import InputError

INPUTS, HIDDEN, MEMORY, SEGMENTS = (4, 2, 3), (5, 3, 2), 6, 9
WIDTHS, DROPOUTS = (7, 3, 4, 5, 8), (0.5, 0.0, 0.2, 0.7, 0.1)


class Global:
    """What a pickle knows of a class or function: its name."""

    def __init__(self, module, name):
        self.module, self.name = module, name


class Module:
    """An instance of a torch module."""

    def __init__(self, cls, **state):
        self.cls, self.state = cls, state


class Tensor:
    """Float32 values; `stride`, `shape` and `offset` may claim something else than is there."""

    def __init__(self, values, **claims):
        self.storage = np.ascontiguousarray(values, dtype="<f4")
        strides = tuple(step // 4 for step in self.storage.strides)
        self.claims = {"offset": 0, "shape": self.storage.shape, "stride": strides} | claims


class Torch04Pickler(pickle._Pickler):
    """Writes as torch 0.4 did, without any of its classes: names, modules with their source, storages by key."""

    dispatch: ClassVar = dict(pickle._Pickler.dispatch)

    def __init__(self, file):
        super().__init__(file, protocol=2)
        self.storages = {}

    def save_name(self, name):
        self.write(pickle.GLOBAL + f"{name.module}\n{name.name}\n".encode())

    def save_module(self, module):
        self.save(("module", module.cls, "rnn.py", "class MFN: ..."))
        self.write(pickle.BINPERSID)
        self.save(())
        self.write(pickle.NEWOBJ)
        self.save(module.state)
        self.write(pickle.BUILD)

    def save_tensor(self, tensor):
        self.save(Global("torch._utils", "_rebuild_tensor_v2"))
        self.write(pickle.MARK)
        key = str(140_000 + len(self.storages))
        self.storages[key] = tensor.storage
        self.save(("storage", Global("torch", "FloatStorage"), key, "cuda:1", tensor.storage.size, None))
        self.write(pickle.BINPERSID)
        for value in (*tensor.claims.values(), True, None):
            self.save(value)
        self.write(pickle.TUPLE + pickle.REDUCE)

    dispatch |= {Global: save_name, Module: save_module, Tensor: save_tensor}


def model() -> Module:
    """An MFN with random weights and the states of a forward pass over `SEGMENTS` segments."""
    rng = np.random.default_rng(0)
    modules = {}

    def linear(n_in, n_out):
        weights = {"weight": Tensor(rng.normal(size=(n_out, n_in))), "bias": Tensor(rng.normal(size=n_out))}
        cls = Global("torch.nn.modules.linear", "Linear")
        return Module(cls, _parameters=weights, in_features=n_in, out_features=n_out)

    for name, n, h in zip("lav", INPUTS, HIDDEN, strict=True):
        shapes = {"weight_ih": (4 * h, n), "weight_hh": (4 * h, h), "bias_ih": 4 * h, "bias_hh": 4 * h}
        weights = {key: Tensor(rng.normal(size=shape)) for key, shape in shapes.items()}
        cls = Global("torch.nn.modules.rnn", "LSTMCell")
        backend = Tensor(np.ones(1))
        modules[f"lstm_{name}"] = Module(cls, _parameters=weights, input_size=n, hidden_size=h, _backend=backend)
    cells, hidden = 2 * sum(HIDDEN), sum(HIDDEN)
    inputs = {"att1": cells, "att2": cells, "gamma1": cells + MEMORY, "gamma2": cells + MEMORY, "out": hidden + MEMORY}
    outputs = {"att1": cells, "att2": MEMORY, "gamma1": MEMORY, "gamma2": MEMORY, "out": 1}
    for block, width, p in zip(inputs, WIDTHS, DROPOUTS, strict=True):
        modules[f"{block}_fc1"] = linear(inputs[block], width)
        modules[f"{block}_fc2"] = linear(width, outputs[block])
        modules[f"{block}_dropout"] = Module(Global("torch.nn.modules.dropout", "Dropout"), _parameters={}, p=p)
    widths = dict(zip(("h_l", "h_a", "h_v", "mem"), (*HIDDEN, MEMORY), strict=True))
    states = {name: Tensor(rng.normal(size=(SEGMENTS, width))) for name, width in widths.items()}
    return Module(Global("__main__", "MFN"), _modules=modules, mem_dim=MEMORY, **states)


def write(path, module) -> None:
    with path.open("wb") as file:
        for value in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}):
            pickle.dump(value, file, protocol=2)
        pickler = Torch04Pickler(file)
        pickler.dump(module)
        pickle.dump(list(pickler.storages), file, protocol=2)
        for values in pickler.storages.values():
            file.write(struct.pack("<q", values.size) + values.tobytes())


@pytest.fixture
def path(tmp_path):
    return tmp_path / "mfn_mae.pt"


def test_a_whole_model(path):
    written = model()
    write(path, written)
    found = load(path)
    assert (found.input_dims, found.hidden, found.memory) == (INPUTS, HIDDEN, MEMORY)
    assert (found.widths, found.dropouts) == (WIDTHS, DROPOUTS)
    expected = {
        f"{name}.{key}": tensor.storage
        for name, module in written.state["_modules"].items()
        for key, tensor in module.state["_parameters"].items()
    }
    assert list(found.state_dict) == list(expected)
    assert len(expected) == 3 * 4 + 5 * 4
    for key, values in expected.items():
        np.testing.assert_array_equal(found.state_dict[key], values.astype(np.float32), strict=True)
    for name in ("h_l", "h_a", "h_v", "mem"):
        np.testing.assert_array_equal(found.states[name], written.state[name].storage, strict=True)


def test_a_view_into_a_larger_storage(path):
    written = model()
    stored = np.arange(100, dtype=np.float32)
    written.state["mem"] = Tensor(stored, offset=10, shape=(3, 4), stride=(1, 5))
    write(path, written)
    np.testing.assert_array_equal(load(path).states["mem"], [[10 + row + 5 * k for k in range(4)] for row in range(3)])


@pytest.mark.parametrize(
    "claims",
    [
        {"offset": 95, "shape": (3, 4), "stride": (1, 5)},
        {"offset": -1, "shape": (3,), "stride": (1,)},
        {"offset": 0, "shape": (101,), "stride": (1,)},
        {"offset": 0, "shape": (2**40,), "stride": (0,)},
        {"offset": 50, "shape": (10,), "stride": (-5,)},
        {"offset": 0, "shape": (10, -1), "stride": (1, 1)},
    ],
)
def test_a_view_beyond_its_storage(path, claims):
    written = model()
    written.state["mem"] = Tensor(np.arange(100), **claims)
    write(path, written)
    with pytest.raises(InputError, match=r"mfn_mae\.pt: a tensor reaches beyond its storage"):
        load(path)


class Evil:
    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.system, (f"touch {self.marker}",)


def test_an_attack_in_any_of_the_pickles(path, tmp_path):
    marker = tmp_path / "marker"
    written = model()
    written.state["hook"] = [Evil(marker)]
    write(path, written)
    with pytest.raises(InputError, match=r"mfn_mae\.pt: the pickle asks for posix\.system"):
        load(path)
    path.write_bytes(pickle.dumps(Evil(marker), protocol=2))
    with pytest.raises(InputError, match=r"mfn_mae\.pt: the pickle asks for posix\.system"):
        load(path)
    assert not marker.exists()


@pytest.mark.parametrize("other", [Global("torch.nn.modules.linear", "Bilinear"), Global("__main__", "EFLSTM")])
def test_another_class(path, other):
    written = model()
    written.state["_modules"]["extra"] = Module(other, _parameters={})
    write(path, written)
    with pytest.raises(InputError, match=rf"the pickle asks for {other.module}\.{other.name}"):
        load(path)


def test_a_cut_file(path):
    write(path, model())
    whole = path.read_bytes()
    for end in range(0, len(whole) - 1, 53):
        path.write_bytes(whole[:end])
        with pytest.raises(
            InputError, match=r"mfn_mae\.pt: (not a complete, readable pickle|the weights are cut short)"
        ):
            load(path)


def test_something_else(path):
    content = [pickle.dumps(np.arange(3), 2), pickle.dumps(0x1950A86A20F9469CFC6C, 2) + pickle.dumps(1000, 2) * 3]
    for one in content:
        path.write_bytes(one * 2)
        with pytest.raises(InputError, match=r"mfn_mae\.pt: not a"):
            load(path)
    written = model()
    del written.state["_modules"]["out_fc2"]
    del written.state["mem"]
    write(path, written)
    with pytest.raises(InputError, match=r"mfn_mae\.pt: not an MFN checkpoint \(KeyError: 'mem'\)"):
        load(path)
    with pytest.raises(InputError, match=r"missing; see \./run_all\.sh data get mfn_checkpoints$"):
        load(path.with_name("mfn_acc.pt"))


@pytest.mark.parametrize(
    ("name", "hidden", "memory", "widths", "dropouts", "parameters", "mae"),
    [
        ("mae", (64, 48, 32), 400, (32, 32, 64, 32, 64), (0.7, 0.2, 0, 0.5, 0), 292_657, 0.909549),
        ("acc", (156, 80, 16), 300, (256, 64, 128, 32, 64), (0.5, 0, 0, 0, 0.7), 839_549, 0.940560),
    ],
)
def test_the_official_checkpoints(name, hidden, memory, widths, dropouts, parameters, mae, real_root):
    """Sizes, and the validation MAE that the authors logged, from the stored states (spec colearning 9.3)."""
    found = load(real_root / f"mfn/best/mfn_{name}.pt")
    assert (found.input_dims, found.hidden, found.memory) == ((300, 5, 20), hidden, memory)
    assert (found.widths, found.dropouts) == (widths, dropouts)
    assert sum(values.size for values in found.state_dict.values()) == parameters
    weights = found.state_dict
    last = np.concatenate([found.states[state] for state in ("h_l", "h_a", "h_v", "mem")], axis=1)
    within = np.maximum(last @ weights["out_fc1.weight"].T + weights["out_fc1.bias"], 0)
    predicted = (within @ weights["out_fc2.weight"].T + weights["out_fc2.bias"])[:, 0]
    labels = read_numbers(real_root / MOSI.folder / "y_valid.h5", MOSI.key)
    assert np.abs(predicted - labels).mean() == pytest.approx(mae, abs=1e-6)
