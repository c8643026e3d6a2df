"""Third-party pickles read as data: containers, numbers, text and NumPy arrays, nothing else.

A pickle is a program for a small stack machine, and an ordinary loader calls whatever the program names. This
reader knows an exact table of (module, name) pairs and maps each to a constructor of its own that checks its
arguments; any other name ends the reading before anything is created. The instructions that reach further
(extension codes, out-of-band buffers, setting the state of arbitrary objects) are refused as well.

Python's own `pickle._Unpickler` is used because the C one offers no way to check BUILD, the instruction that
writes into objects.
"""

import math
import pickle
import re
import struct
from collections import OrderedDict
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import BinaryIO, ClassVar, NoReturn

import numpy as np

from lib.data.io.impostors import CUT_SHORT, refuse
from lib.errors import InputError

_KEYS = (str, bytes, bool, int, float, complex, type(None), np.generic)
_TORCH = 0x1950A86A20F9469CFC6C
"""What `torch.save` put first, as a pickle of its own, before its files were archives."""
_DEEPEST = 100
_REPEATED, _FEW = 100, 100_000
"""Items written out: at most so many times those that are stored, and so many more."""


_WRITERS = {
    name: f"it was made with {name}: save what it holds as lists, dictionaries and NumPy arrays; nothing in it was run"
    for name in ("pandas", "torch", "tensorflow", "jax", "scipy", "sklearn", "joblib", "dill", "cloudpickle")
}
_ONE = "save everything as one object, a dictionary for example; nothing of it was used"


def load(source: Path | BinaryIO, *, encoding: str = "latin1") -> object:
    """One object from a pickle file, or from an open seekable file at its current position.

    `encoding` decodes Python-2 strings (`bytes` keeps them as bytes).

    Raises `InputError` for a forbidden name (as `module.name`), a forbidden instruction, a damaged file, and for a
    path to a file that holds more than the object.
    """
    if isinstance(source, Path):
        refuse(source, expected=".pkl")
        with source.open("rb") as handle:
            found = load(handle, encoding=encoding)
            if type(found) is int and found == _TORCH:
                raise InputError("a file of torch.save, no plain data", where=source, todo=_WRITERS["torch"])
            if handle.read(1):
                raise InputError("something follows the pickle", where=source, todo=_ONE)
            return found
    where = getattr(source, "name", "pickle")
    try:
        found = _DataUnpickler(_Bounded(source), encoding=encoding).load()
        refuse_bombs(found)
        return found
    except InputError as error:
        todo = error.todo or "the file was refused; nothing in it was run"
        raise InputError(error.what, where=where, todo=todo) from None
    except EOFError as error:
        raise InputError("not a complete, readable pickle: it ends too early", where=where, todo=CUT_SHORT) from error
    except Exception as error:  # the bytes are hostile: whatever they provoke means the same to the user
        detail = f"{type(error).__name__}: {error}".rstrip(": ")
        raise InputError(f"not a complete, readable pickle ({detail})", where=where) from error


def load_npy(path: Path) -> np.ndarray:
    """An array from a `.npy` file: memory-mapped, read-only if plain; through `load` if it holds objects."""
    refuse(path)
    try:
        with path.open("rb") as handle:
            version = np.lib.format.read_magic(handle)
            read_header = {
                (1, 0): np.lib.format.read_array_header_1_0,
                (2, 0): np.lib.format.read_array_header_2_0,
            }[version]
            shape, _, dtype = read_header(handle)
            if not dtype.hasobject:
                return np.load(path, mmap_mode="r", allow_pickle=False)
            value = load(handle)
    except InputError:
        raise
    except Exception as error:  # the header is hostile, too
        todo = CUT_SHORT if "greater than file size" in str(error) or "EOF" in str(error) else None
        raise InputError(f"not a complete .npy file ({error})", where=path, todo=todo) from error
    if not isinstance(value, np.ndarray) or value.shape != shape:
        raise InputError("the pickled content is not the array that the header announces", where=path)
    return value


def refuse_bombs(value: object) -> None:
    """Raises `InputError` for containers that would grow without bound if everything in them were written out.

    A list may hold another twice, and that one a third twice: a few hundred bytes then stand for more items than any
    memory holds, and one may even hold itself. Data share arrays, never so.
    """
    sizes: dict[int, tuple[int, int] | None] = {}  # items written out and levels; None while they are counted
    distinct = 0
    waiting = [(value, False)]
    while waiting:
        item, counted = waiting.pop()
        children = _children(item)
        if children is None:
            continue
        if counted:
            held = [sizes.get(id(child)) or (1, 0) for child in children]
            distinct += len(held)
            total, levels = sum(size for size, _ in held), 1 + max((depth for _, depth in held), default=0)
            if total > _REPEATED * distinct + _FEW:
                raise InputError("the pickle holds few items that stand for too many")
            if levels > _DEEPEST:
                raise InputError("the pickle is nested too deeply")
            sizes[id(item)] = total, levels
        elif id(item) not in sizes:
            sizes[id(item)] = None
            waiting.append((item, True))
            for child in children:
                if sizes.get(id(child), 0) is None:
                    raise InputError("the pickle holds a container that holds itself")
                waiting.append((child, False))


def _children(item: object) -> Collection | None:
    """What a container holds, keys left out, because they are checked as they are set; None for anything else."""
    if isinstance(item, dict):
        return item.values()
    if isinstance(item, list | tuple):
        return item
    if isinstance(item, np.ndarray) and item.dtype.hasobject:
        return item.ravel().tolist()
    return None


class _Bounded:
    """Never reads past the end of the file, so a forged length cannot make Python allocate it."""

    def __init__(self, handle: BinaryIO):
        start = handle.tell()
        self._left = handle.seek(0, 2) - start
        self._handle = handle
        handle.seek(start)

    def read(self, size: int) -> bytes:
        if not 0 <= size <= self._left:
            raise EOFError("the file ends too early")
        self._left -= size
        return self._handle.read(size)

    def readline(self) -> bytes:
        line = self._handle.readline()
        if not line.endswith(b"\n"):
            raise EOFError("the file ends too early")
        self._left -= len(line)
        return line


class _DataUnpickler(pickle._Unpickler):
    dispatch: ClassVar = dict(pickle._Unpickler.dispatch)

    def find_class(self, module: str, name: str) -> object:
        try:
            return _TABLE[module, name]
        except KeyError:
            todo = _WRITERS.get(module.partition(".")[0])
            raise InputError(f"the pickle asks for {module}.{name}, which is not plain data", todo=todo) from None

    def persistent_load(self, pid: object) -> NoReturn:
        raise InputError("the pickle refers to objects outside itself (persistent id)")

    def get_extension(self, code: int) -> NoReturn:
        raise InputError(f"the pickle uses extension registry code {code}")

    def load_build(self) -> None:
        state = self.stack.pop()
        target = self.stack[-1]
        if type(target) is np.ndarray:
            _fill_array(target, state)
        elif isinstance(target, np.dtype):
            _set_byte_order(target, state)
        else:
            raise InputError(f"the pickle sets the state of a {type(target).__name__}")

    dispatch[pickle.BUILD[0]] = load_build

    def load_setitem(self) -> None:
        _refuse_unhashable(self.stack[-2:-1])
        super().load_setitem()

    dispatch[pickle.SETITEM[0]] = load_setitem

    def load_setitems(self) -> None:
        _refuse_unhashable(self.stack[::2])
        super().load_setitems()

    dispatch[pickle.SETITEMS[0]] = load_setitems

    def load_dict(self) -> None:
        _refuse_unhashable(self.stack[::2])
        super().load_dict()

    dispatch[pickle.DICT[0]] = load_dict

    def load_additems(self) -> None:
        _refuse_unhashable(self.stack)
        super().load_additems()

    dispatch[pickle.ADDITEMS[0]] = load_additems

    def load_frozenset(self) -> None:
        _refuse_unhashable(self.stack)
        super().load_frozenset()

    dispatch[pickle.FROZENSET[0]] = load_frozenset

    def load_bytearray8(self) -> None:  # the inherited one allocates the announced size before reading
        (size,) = struct.unpack("<Q", self.read(8))
        self.append(bytearray(self.read(size)))

    dispatch[pickle.BYTEARRAY8[0]] = load_bytearray8

    def load_buffer(self) -> NoReturn:
        raise InputError("the pickle uses out-of-band buffers")

    dispatch[pickle.NEXT_BUFFER[0]] = dispatch[pickle.READONLY_BUFFER[0]] = load_buffer


def _refuse_unhashable(keys: Iterable) -> None:
    """Keys are plain, or tuples of plain values: to hash a tuple of tuples may take longer than anybody lives."""
    for key in keys:
        for part in key if type(key) is tuple else (key,):
            if not isinstance(part, _KEYS):
                raise InputError(f"the pickle uses a {type(part).__name__} as a key")


# Constructors that stand where a pickle names NumPy's or Python's own.


def _set(items: Sequence = ()) -> set:
    _refuse_unhashable(items)
    return set(items)


def _frozenset(items: Sequence = ()) -> frozenset:
    _refuse_unhashable(items)
    return frozenset(items)


def _ordered(pairs: Sequence = ()) -> OrderedDict:
    """Python 2 gave the items as a list of pairs, later versions set them one by one."""
    _refuse_unhashable(key for key, _ in pairs)
    return OrderedDict((key, value) for key, value in pairs)


def _text(value: str | bytes) -> str:
    return value.decode("ascii") if isinstance(value, bytes) else value


def _raw(value: object) -> bytes:
    if isinstance(value, str):  # Python 2 wrote raw bytes as a string
        return value.encode("latin1")
    if isinstance(value, bytes | bytearray):
        return bytes(value)
    raise InputError(f"the pickle gives a {type(value).__name__} where array bytes belong")


def _encode(text: str, encoding: str = "latin1") -> bytes:
    """`_codecs.encode` as Python 3 uses it to put bytes into protocols 0 to 2."""
    if encoding not in ("latin1", "latin-1"):
        raise InputError(f"the pickle asks for the codec {encoding}")
    return str.encode(text, "latin1")


def _empty_bytes() -> bytes:
    return b""


def _dtype(code: str, align: object = False, copy: object = True) -> np.dtype:
    code = _text(code)
    if not re.fullmatch(r"b1|[iu][1248]|f[248]|c8|c16|[SU]\d{1,6}|O8?", code):
        raise InputError(f"the pickle holds arrays of type {code[:20]!r}, which is not plain data")
    return np.dtype(code, copy=True)  # a copy: `_set_byte_order` writes into it


def _set_byte_order(dtype: np.dtype, state: tuple) -> None:
    order = _text(state[1])
    expected = dtype.newbyteorder(order if order in ("<", ">") else "|").__reduce__()[2]
    if state[2:8] != expected[2:8]:  # sizes and flags decide what raw bytes are taken for
        raise InputError("the pickle alters a NumPy type")
    dtype.__setstate__(expected)


def _new_array(subtype: object, shape: object, code: object) -> np.ndarray:
    """`numpy.core.multiarray._reconstruct`: an empty array that BUILD fills."""
    return np.empty(0, np.int8)


def _fill_array(array: np.ndarray, state: tuple) -> None:
    _version, shape, dtype, fortran, data = state
    if array.shape != (0,) or array.dtype != np.int8:
        raise InputError("the pickle fills an array twice")
    if not isinstance(dtype, np.dtype) or type(shape) is not tuple or not all(_is_size(n) for n in shape):
        raise InputError("the pickle holds a malformed array")
    if dtype.hasobject:
        if type(data) is not list or len(data) != math.prod(shape):
            raise InputError("the pickle holds a malformed object array")
    else:
        data = _raw(data)
        if len(data) != math.prod(shape) * dtype.itemsize:
            raise InputError("the pickle holds an array whose bytes do not fill its shape")
    array.__setstate__((1, shape, dtype, bool(fortran), data))


def _is_size(value: object) -> bool:
    return type(value) is int and value >= 0


def _frombuffer(buffer: bytes, dtype: np.dtype, shape: tuple[int, ...], order: str) -> np.ndarray:
    """`numpy.core.numeric._frombuffer`, the form protocol 5 gives to contiguous arrays."""
    _refuse_objects(dtype)
    return np.frombuffer(bytearray(_raw(buffer)), dtype).reshape(shape, order="F" if order == "F" else "C")


def _scalar(dtype: np.dtype, data: bytes | str = b"") -> np.generic:
    _refuse_objects(dtype)
    return np.frombuffer(_raw(data), dtype, count=1)[0]


def _refuse_objects(dtype: np.dtype) -> None:
    if not isinstance(dtype, np.dtype) or dtype.hasobject:
        raise InputError("the pickle reads raw bytes as Python objects")


_TABLE: dict[tuple[str, str], object] = {
    ("collections", "OrderedDict"): _ordered,
    ("_codecs", "encode"): _encode,
    ("numpy", "dtype"): _dtype,
    ("numpy", "ndarray"): "numpy.ndarray",  # only ever an argument of _reconstruct, which ignores it
}
for _builtins in ("builtins", "__builtin__"):
    _TABLE |= {
        (_builtins, "set"): _set,
        (_builtins, "frozenset"): _frozenset,
        (_builtins, "bytes"): _empty_bytes,
    }
for _core in ("numpy.core", "numpy._core"):
    _TABLE |= {
        (f"{_core}.multiarray", "_reconstruct"): _new_array,
        (f"{_core}.multiarray", "scalar"): _scalar,
        (f"{_core}.numeric", "_frombuffer"): _frombuffer,
    }
