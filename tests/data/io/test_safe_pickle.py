"""Hostile pickles are refused by name and create nothing; honest ones come back unchanged."""

import copyreg
import io
import os
import pickle
import struct
import tracemalloc
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch

from lib.data.io.safe_pickle import load, load_npy
from lib.errors import InputError
from tests.data.hostile_pickles import PROTOCOLS, Call, attacks, bombs, text, tricks


@pytest.fixture
def extension_code():
    copyreg.add_extension("posix", "mkdir", 240)
    yield
    copyreg.remove_extension("posix", "mkdir", 240)


@pytest.mark.parametrize("name", attacks(Path("x")))
def test_an_attack_is_refused_by_name_and_creates_nothing(name, tmp_path, extension_code):
    marker = tmp_path / "marker"
    content, forbidden = attacks(marker)[name]
    (tmp_path / "script.py").write_text(f"open({str(marker)!r}, 'w').close()")
    path = tmp_path / "evil.pkl"
    path.write_bytes(content)
    with pytest.raises(InputError) as refusal:
        load(path)
    assert forbidden in str(refusal.value)
    assert str(path) in str(refusal.value)
    assert not marker.exists()
    try:  # the control: it is an attack, an ordinary loader falls for it
        pickle.loads(content)
    finally:
        copyreg.clear_extension_cache()
        assert marker.exists()


def test_there_are_many_different_attacks():
    assert len(tricks()) >= 30


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", bombs())
def test_a_bomb_is_refused(name):
    content, message = bombs()[name]
    with pytest.raises(InputError, match=message):
        load(io.BytesIO(content))


def test_names_close_to_allowed_ones_are_refused():
    for module, name in [
        ("numpy", "core"),
        ("numpy.core.multiarray", "fromfile"),
        ("collections", "OrderedDict.fromkeys"),
        ("collections.abc", "OrderedDict"),
        ("builtins", "bytearray"),
        ("", ""),
    ]:
        with pytest.raises(InputError, match=rf"{module}\.{name}, which is not plain data"):
            load(io.BytesIO(b"\x80\x04" + text(module) + text(name) + b"\x93."))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"Pabc\n.", "persistent id"),
        (b"\x80\x02K\x01Q.", "persistent id"),
        (b"\x80\x05\x97.", "out-of-band"),
        (pickle.dumps(Call(OrderedDict, (), {"update": 1})), "state of a OrderedDict"),
        (b"ccollections\nOrderedDict\n}(S'update'\nI1\nub.", "state of a function"),
        (b"c_codecs\nencode\n(Vabc\nVzlib\ntR.", "codec zlib"),
    ],
)
def test_instructions_that_reach_further_are_refused(content, reason):
    with pytest.raises(InputError, match=reason):
        load(io.BytesIO(content))


def _array(state) -> bytes:
    return pickle.dumps(Call(np.empty(0).__reduce__()[0], (np.ndarray, (0,), b"b"), state))


def _scalar(dtype) -> bytes:
    return pickle.dumps(Call(np.float64(0).__reduce__()[0], (dtype, b"\x01" * 8)))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (_array((1, (1,), np.dtype("O"), False, b"\x01" * 8)), "object array"),
        (_array((1, (3,), np.dtype("O"), False, [1])), "object array"),
        (_array((1, (2**40,), np.dtype("f8"), False, b"\x01" * 8)), "do not fill"),
        (_array((1, (1,), np.dtype("f8"), False, [1.0])), "list where array bytes belong"),
        (_array((1, (-1,), np.dtype("f8"), False, b"")), "malformed"),
        (_array((1, (1,), "f8", False, b"\x01" * 8)), "malformed"),
        (_scalar(np.dtype("O")), "as Python objects"),
        (pickle.dumps(np.dtype([("a", "O")])), "type 'V8'"),
        (pickle.dumps(Call(np.dtype, ("f8", False, True), (3, "|", None, None, None, 8, 8, 63))), "alters"),
        (
            pickle.dumps(Call(np.dtype, ("S9", False, True), (3, "|", None, None, None, 2**40, 1, 0))),
            "alters",
        ),
        (pickle.dumps(Call(np.dtype, ("M8[ns]",))), "type 'M8"),
    ],
)
def test_bytes_cannot_pose_as_objects_or_larger_arrays(content, reason):
    with pytest.raises(InputError, match=reason):
        load(io.BytesIO(content))


def test_an_array_is_filled_once():
    """A second filling would free memory that the first one's users still see."""
    once = pickle.dumps(np.arange(3.0), 2)
    state = once[once.index(b"R") + 1 :]  # from after the call that makes the empty array
    state = state[state.index(b"(") : -1]
    with pytest.raises(InputError, match="fills an array twice"):
        load(io.BytesIO(once[:-1] + state + b"."))


HONEST = {
    "containers": {
        "a": [1, -(2**70), 2.5, None, True],
        "b": ("ä", b"\x00\xff", b""),
        "c": {1, 2},
        "d": frozenset("x"),
    },
    "ordered": OrderedDict(z=1, a=2),
    "bytes": [b"", b"abc" * 100],
    "scalars": [np.float32(1.5), np.int64(-3), np.bool_(True), np.str_("neu")],
    "arrays": [
        np.arange(6).reshape(2, 3).astype(dtype)
        for dtype in ("i1", "u2", ">i4", "f2", "<f4", ">f8", "c16", "bool", "S3", "U4")
    ],
    "layouts": [
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.array(3.0),
        np.empty((0, 4)),
        np.arange(9.0)[::2],
    ],
    "objects": np.array([{"id": np.arange(4.0)}, None, "x"], dtype=object),
}


def assert_same(found, expected):
    assert type(found) is type(expected)
    if isinstance(expected, np.ndarray):
        assert found.dtype.newbyteorder("=") == expected.dtype.newbyteorder("=")  # NumPy swaps some on reading
        assert found.shape == expected.shape
        assert found.flags.writeable
        if expected.dtype.hasobject:
            assert_same(found.tolist(), expected.tolist())
        else:
            np.testing.assert_array_equal(found, expected)
    elif isinstance(expected, dict):
        assert list(found) == list(expected)
        assert_same(list(found.values()), list(expected.values()))
    elif isinstance(expected, list | tuple):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            assert_same(one, other)
    else:
        assert found == expected


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("name", HONEST)
def test_honest_data_come_back_unchanged(name, protocol):
    assert_same(load(io.BytesIO(pickle.dumps(HONEST[name], protocol))), HONEST[name])


def test_references_are_kept():
    array = np.arange(3.0)
    first, second = load(io.BytesIO(pickle.dumps([array, array])))
    assert first is second


def test_numpy_before_version_2_named_its_modules_otherwise():
    content = pickle.dumps(np.arange(3.0), 2)
    assert b"numpy._core" in content
    assert_same(load(io.BytesIO(content.replace(b"numpy._core", b"numpy.core"))), np.arange(3.0))


@pytest.mark.parametrize(("encoding", "key"), [("latin1", "k"), ("bytes", b"k")])
def test_a_python_2_pickle(encoding, key):
    values = np.array([1.5, -2.0])
    content = (
        b"\x80\x02}U\x01kcnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
        b"(K\x01K\x02\x85cnumpy\ndtype\nU\x02f8K\x00K\x01\x87R(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
        b"\x89U\x10" + values.tobytes() + b"tbs."
    )
    assert_same(load(io.BytesIO(content), encoding=encoding), {key: values})


def test_pickles_in_one_file_are_read_in_turn(tmp_path):
    path = tmp_path / "two.pkl"
    path.write_bytes(pickle.dumps("a", 2) + pickle.dumps([1], 4) + b"rest")
    with path.open("rb") as handle:
        assert (load(handle), load(handle), handle.read()) == ("a", [1], b"rest")


def test_what_follows_the_object_of_a_file_is_not_passed_over(tmp_path):
    path = tmp_path / "two.pkl"
    for more in (pickle.dumps([1], 4), b"\n"):
        path.write_bytes(pickle.dumps("a", 2) + more)
        with pytest.raises(InputError, match=r"two\.pkl: something follows the pickle; save everything as one object"):
            load(path)


@pytest.mark.parametrize("content", [{"a": 1.0}, torch.zeros(3), 5])
def test_a_file_of_torchs_old_format_is_no_number(content, tmp_path):
    path = tmp_path / "old.pt"
    torch.save(content, path, _use_new_zipfile_serialization=False)
    with pytest.raises(InputError, match=r"old\.pt: a file of torch\.save, no plain data; it was made with torch"):
        load(path)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_every_cut_is_an_input_error(protocol):
    content = pickle.dumps(HONEST, protocol)
    for end in range(0, len(content) - 1, 7):
        with pytest.raises(InputError, match=r"not a complete, readable pickle"):
            load(io.BytesIO(content[:end]))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_damage_gives_data_or_an_input_error(protocol):
    content = pickle.dumps(HONEST, protocol)
    rng = np.random.default_rng(protocol)
    refused = 0
    for _ in range(300):
        damaged = bytearray(content)
        for position in rng.integers(len(content), size=3):
            damaged[position] = rng.integers(256)
        try:
            load(io.BytesIO(damaged))
        except InputError:
            refused += 1
    assert refused > 100


@pytest.mark.parametrize(
    "content",
    [
        b"\x80\x04\x95" + struct.pack("<Q", 2**40) + b"N.",
        b"\x80\x04\x8d" + struct.pack("<Q", 2**40) + b"abc.",
        b"\x80\x04\x8e" + struct.pack("<Q", 2**40) + b"abc.",
        b"\x80\x05\x96" + struct.pack("<Q", 2**33) + b"abc.",
        b"\x80\x02\x8b" + struct.pack("<i", 2**31 - 1) + b"abc.",
        b"\x80\x02T" + struct.pack("<i", 2**31 - 1) + b"abc.",
        b"\x80\x02T" + struct.pack("<i", -5) + b"abc.",
    ],
)
def test_a_forged_length_allocates_nothing(content):
    tracemalloc.start()
    try:
        with pytest.raises(InputError):
            load(io.BytesIO(content))
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


def test_a_plain_npy_file_is_memory_mapped(tmp_path):
    np.save(tmp_path / "a.npy", np.arange(6.0).reshape(2, 3))
    found = load_npy(tmp_path / "a.npy")
    assert isinstance(found, np.memmap)
    np.testing.assert_array_equal(found, np.arange(6.0).reshape(2, 3))


def test_a_dictionary_saved_by_numpy(tmp_path):
    saved = {"Ses01F_impro01_F000": np.ones((2, 3), np.float32)}
    np.save(tmp_path / "d.npy", saved, allow_pickle=True)
    assert_same(load_npy(tmp_path / "d.npy").item(), saved)


def test_an_attack_inside_npy(tmp_path):
    marker = tmp_path / "marker"
    np.save(tmp_path / "d.npy", {"a": Call(os.system, (f"touch {marker}",))}, allow_pickle=True)
    with pytest.raises(InputError, match=r"d\.npy: the pickle asks for posix\.system"):
        load_npy(tmp_path / "d.npy")
    assert not marker.exists()


def test_a_damaged_npy_file(tmp_path):
    path = tmp_path / "a.npy"
    np.save(path, np.arange(600.0))
    whole = path.read_bytes()
    for content in (whole[:3], whole[:40], whole[:-8], b"PK" + whole, b"\x93NUMPY\x09\x00" + whole[8:]):
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"a\.npy: not a complete \.npy file"):
            load_npy(path)
    np.save(path, {"a": 1}, allow_pickle=True)
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b"'shape': ()", b"'shape':(3)"))
    with pytest.raises(InputError, match=r"a\.npy"):
        load_npy(path)
    path.write_bytes(whole[: whole.index(b"\x80")] + pickle.dumps([1, 2]))
    with pytest.raises(InputError, match="not the array that the header announces"):
        load_npy(path)
