"""Pickles that do something when an ordinary loader reads them."""

import functools
import marshal
import operator
import os
import pickle
import runpy
import shutil
import subprocess
import time
import timeit
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import yaml

PROTOCOLS = range(6)


class Call:
    """Pickles as `reduced`: a callable, its arguments and possibly a state."""

    def __init__(self, *reduced):
        self.reduced = reduced

    def __reduce__(self):
        return self.reduced


class Key(Call):
    """The same, where something hashable is needed."""

    def __hash__(self):
        return 0

    def __eq__(self, other):
        return self is other


def text(value: str) -> bytes:
    """The opcode that pushes a short string."""
    return pickle.SHORT_BINUNICODE + bytes([len(value)]) + value.encode()


def nested(call: object, key: object) -> dict[str, object]:
    """Places in plain data where a call can hide."""
    return {
        "list": [1, [2, [call]]],
        "tuple": (1, (2, (call,))),
        "value": {"a": {"b": call}},
        "key": {"a": {key: 1}},
        "set": {1, key},
        "frozenset": frozenset([key]),
        "ordered": OrderedDict(a=OrderedDict(b=call)),
        "object array": np.array([1, {"x": call}], object),
        "late": [*range(5000), call],
        "shared": [[call], np.arange(3.0), "text"] * 2,
    }


def attacks(marker: Path) -> dict[str, tuple[bytes, str]]:
    """Pickles that create `marker` when an ordinary loader reads them, and the name a refusal must give."""
    touch, code = f"touch {marker}", f"__import__('os').mkdir({str(marker)!r})"
    call = Call(os.system, (touch,))
    found = {}
    for protocol in PROTOCOLS:
        found[f"call {protocol}"] = (pickle.dumps(call, protocol), "posix.system")
        for place, tree in nested(call, Key(os.system, (touch,))).items():
            found[f"in {place} {protocol}"] = (pickle.dumps(tree, protocol), "posix.system")
    script = marker.with_name("script.py")
    memmap = b"\x80\x04" + text("numpy") + text("memmap") + b"\x93"
    memmap_arguments = b"(" + b"".join(map(text, (str(marker), "u1", "w+"))) + b"K\x00K\x01\x85t"
    return found | {
        "global": (f"cos\nsystem\n(S'{touch}'\ntR.".encode(), "os.system"),
        "instance": (f"(S'{touch}'\nios\nsystem\n.".encode(), "os.system"),
        "object": (f"(cos\nsystem\nS'{touch}'\no.".encode(), "os.system"),
        "python 2": (f"c__builtin__\neval\n(S{code!r}\ntR.".encode(), "__builtin__.eval"),
        "exec": (pickle.dumps(Call(exec, (code,))), "builtins.exec"),
        "marshalled code": (
            pickle.dumps(Call(exec, (Call(marshal.loads, (marshal.dumps(compile(code, "x", "exec")),)),))),
            "builtins.exec",
        ),
        "map": (pickle.dumps(Call(list, (Call(map, (os.mkdir, [str(marker)])),))), "builtins.list"),
        "subprocess": (pickle.dumps(Call(subprocess.call, (["touch", str(marker)],))), "subprocess.call"),
        "timeit": (pickle.dumps(Call(timeit.timeit, (code, "pass", time.perf_counter, 1))), "timeit.timeit"),
        "open": (pickle.dumps(Call(os.open, (str(marker), os.O_CREAT))), "posix.open"),
        "method": (pickle.dumps(Call(operator.methodcaller("touch"), (marker,))), "operator.methodcaller"),
        "partial": (pickle.dumps(Call(functools.partial(os.mkdir, str(marker)), ())), "functools.partial"),
        "script": (pickle.dumps(Call(runpy.run_path, (str(script),))), "runpy.run_path"),
        "copy": (pickle.dumps(Call(shutil.copy, ("/dev/null", str(marker)))), "shutil.copy"),
        "yaml": (
            pickle.dumps(Call(yaml.unsafe_load, (f"!!python/object/apply:os.mkdir [{str(marker)!r}]",))),
            "yaml.unsafe_load",
        ),
        "getattr": (
            f"cbuiltins\ngetattr\n(cbuiltins\n__import__\n(S'os'\ntRS'system'\ntR(S'{touch}'\ntR.".encode(),
            "builtins.getattr",
        ),
        "stack global": (
            b"\x80\x04" + text("os") + text("system") + b"\x93" + text(touch) + b"\x85R.",
            "os.system",
        ),
        "dotted name": (
            b"\x80\x04" + text("logging") + text("os.system") + b"\x93" + text(touch) + b"\x85R.",
            "logging.os.system",
        ),
        "name from memo": (
            b"\x80\x04" + text("os") + b"\x94" + text("system") + b"\x94h\x00h\x01\x93" + text(touch) + b"\x85R.",
            "os.system",
        ),
        "pickle in pickle": (pickle.dumps(Call(pickle.loads, (pickle.dumps(call),))), "_pickle.loads"),
        "numpy": (pickle.dumps(Call(np.memmap, (str(marker), "u1", "w+", 0, (1,)))), "numpy.memmap"),
        "new object": (memmap + memmap_arguments + b"\x81.", "numpy.memmap"),
        "new object with keywords": (memmap + memmap_arguments + b"}\x92.", "numpy.memmap"),
        "extension code": (b"\x80\x02\x82\xf0" + text(str(marker)) + b"\x85R.", "extension registry code 240"),
        "long extension code": (
            b"\x80\x02\x84\xf0\x00\x00\x00" + text(str(marker)) + b"\x85R.",
            "extension registry code 240",
        ),
    }


def tricks() -> set[str]:
    """The different ways, whatever the protocol and the place."""
    return {name.rstrip("0123456789 ").removeprefix("in ") for name in attacks(Path("x"))}


def doubled(levels: int, leaf: object, make: Callable) -> object:
    """`leaf` in something that holds the last level twice: 2 ** levels of it once written out."""
    for _ in range(levels):
        leaf = make((leaf, leaf))
    return leaf


def _self_containing() -> list:
    loop: list = []
    loop += [loop, loop]
    return loop


def bombs() -> dict[str, tuple[bytes, str]]:
    """Small pickles that take all time or memory, if not when they are loaded then when they are looked at."""
    deep = b"\x80\x02" + b"]" * 200_000 + b"a" * 199_999 + b"."
    # A key of shared tuples is hashed without end while the pickle is loaded.
    halves = b"".join(b"q" + bytes([i]) + b"h" + bytes([i]) + pickle.TUPLE2 for i in range(60))
    hashed = b"\x80\x02}K\x01" + halves + b"K\x00s."
    return {
        "doubled lists": (pickle.dumps({"a": doubled(60, 1.0, list)}), "stand for too many"),
        "doubled tuples": (pickle.dumps([doubled(60, 1.0, tuple)]), "stand for too many"),
        "doubled values": (pickle.dumps(doubled(60, 1.0, lambda pair: dict(enumerate(pair)))), "stand for too many"),
        "holds itself": (pickle.dumps(_self_containing()), "holds itself"),
        "endless hash": (hashed, "uses a tuple as a key"),
        "deep": (deep, "nested too deeply"),
        "forged text": (b"\x80\x04\x8d" + (2**40).to_bytes(8, "little") + b"abc.", "not a complete"),
        "forged bytes": (b"\x80\x04\x8e" + (2**40).to_bytes(8, "little") + b"abc.", "not a complete"),
        "forged bytearray": (b"\x80\x05\x96" + (2**33).to_bytes(8, "little") + b"abc.", "not a complete"),
        "forged frame": (b"\x80\x04\x95" + (2**40).to_bytes(8, "little") + b"N.", "not a complete"),
        "long number": (b"L" + b"9" * 100_000 + b"L\n.", "not a complete"),
    }
