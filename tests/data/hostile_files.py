"""Damaged and hostile files by their kind: each from a sound one, with the words of the refusal, if there must be one.

`REFUSED` is expected where nothing sound can be in the file; without a pattern the reader may also find that the rest
is sound, and must then return it whole.
"""

import io
import json
import pickle
import struct
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
from PIL import Image

from tests.data.hostile_pickles import Call, attacks, bombs

REFUSED = "."
Damage = Callable[[Path], None]


@dataclass(frozen=True)
class Hostile:
    """`damage` changes the sound file at a path; `message` is what the refusal says, or None if it may be accepted."""

    damage: Damage
    message: str | None


def cases(path: Path, marker: Path) -> dict[str, Hostile]:
    """All that is known against a file of this kind; `marker` appears if something in it was run."""
    by_suffix = {
        ".h5": _hdf5,
        ".csd": _hdf5,
        ".yaml": _yaml,
        ".parquet": _parquet,
        ".npy": _npy,
        ".npz": _npz,
        ".json": _json,
    }
    by_suffix |= dict.fromkeys((".csv", ".tsv", ".txt"), _text)
    by_suffix |= {".wav": _wave, ".flac": _flac, ".flv": _flash, ".jpg": _image} | dict.fromkeys(
        (".pkl", ".p", ".pt"), _pickle
    )
    return dict(_any(path.suffix)) | dict(by_suffix[path.suffix](path, marker))


def kinds() -> set[str]:
    arrays = {".h5", ".csd", ".npy", ".npz", ".parquet", ".pkl", ".p", ".pt"}
    return arrays | {".csv", ".tsv", ".txt", ".json", ".yaml", ".wav", ".flac", ".flv", ".jpg"}


def content(new: bytes, message: str | None = REFUSED) -> Hostile:
    return Hostile(lambda path: path.write_bytes(new), message)


def changed(change: Callable[[bytes], bytes], message: str | None = REFUSED) -> Hostile:
    return Hostile(lambda path: path.write_bytes(change(path.read_bytes())), message)


def _any(suffix: str) -> Iterator[tuple[str, Hostile]]:
    yield "empty", content(b"")
    yield "noise", content(np.random.default_rng(0).bytes(3000))
    yield "zeros", content(bytes(3000))
    yield "a program", content(b"\x7fELF\x02\x01\x01" + bytes(500))
    cut = (
        None if suffix in (".txt", ".csv", ".tsv", ".wav") else REFUSED
    )  # what is left of these is whole lines or samples
    yield "first quarter", changed(lambda b: b[: len(b) // 4], cut)
    yield "last half", changed(lambda b: b[len(b) // 2 :], cut)
    yield "a folder", Hostile(_become_folder, REFUSED)
    for seed in range(8):
        yield f"spoilt bytes {seed}", changed(lambda b, seed=seed: spoilt(b, seed), None)


def _become_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def spoilt(sound: bytes, seed: int) -> bytes:
    """Some bytes replaced, most of them near the start, where headers are."""
    rng, new = np.random.default_rng(seed), bytearray(sound)
    for place in (rng.random(4) ** 3 * len(new)).astype(int):
        new[place] = rng.integers(256)
    return bytes(new)


# Pickles


def _pickle(path: Path, marker: Path) -> Iterator[tuple[str, Hostile]]:
    for name, (new, said) in attacks(marker).items():
        if "extension" not in name and (not name.startswith("in ") or name.endswith("4")):
            yield f"attack: {name}", content(new, said)
    for name, (new, message) in bombs().items():
        yield f"bomb: {name}", content(new, message)
    for name, call in (("attack", Call(print, (str(marker),))), ("record", Call(type, ("X", (), {})))):
        yield f"{name} inside", Hostile(lambda p, call=call: _replace_leaf(p, lambda leaf: call), "not plain data")
    for name, value in LEAVES.items():
        yield f"leaf: {name}", Hostile(lambda p, value=value: _replace_leaf(p, value), None)


LEAVES: dict[str, Callable[[object], object]] = {
    "NaN": lambda leaf: np.full(np.shape(leaf), np.nan),
    "infinity": lambda leaf: np.full(np.shape(leaf), np.inf),
    "too large": lambda leaf: np.full(np.shape(leaf), 1e300),
    "negative": lambda leaf: np.full(np.shape(leaf), -7),
    "out of range": lambda leaf: np.full(np.shape(leaf), 10**6),
    "text": lambda leaf: np.full(np.shape(leaf), "x"),
    "complex": lambda leaf: np.full(np.shape(leaf), 1j),
    "objects": lambda leaf: np.full(np.shape(leaf), None, object),
    "records": lambda leaf: [{"a": 1}],
    "one number": lambda leaf: 4.0,
    "nothing": lambda leaf: None,
    "no rows": lambda leaf: np.zeros((0, *np.shape(leaf)[1:])),
    "more rows": lambda leaf: np.concatenate([np.asarray(leaf, object)] * 2).tolist() if np.shape(leaf) else [1, 2],
    "more axes": lambda leaf: np.zeros((*np.shape(leaf), 1)),
    "uneven": lambda leaf: [[1.0], [1.0, 2.0]],
    "bytes": lambda leaf: b"abc",
    "huge integers": lambda leaf: [10**400],
}


def _replace_leaf(path: Path, change: Callable[[object], object]) -> None:
    """Change the first array or list of numbers found in the tree."""
    tree = pickle.loads(path.read_bytes())
    done = [False]
    tree = _changed(tree, change, done)
    if not done[0]:
        tree["one more"] = change(1.0)
    path.write_bytes(pickle.dumps(tree, protocol=4))


def _changed(node: object, change: Callable, done: list[bool]) -> object:
    leaf = isinstance(node, np.ndarray) or (
        isinstance(node, list) and node and not isinstance(node[0], dict | list | tuple | np.ndarray)
    )
    if leaf and not done[0]:
        done[0] = True
        return change(node)
    if isinstance(node, dict):
        return {key: _changed(value, change, done) for key, value in node.items()}
    if isinstance(node, list | tuple):
        return type(node)([_changed(value, change, done) for value in node])
    return node


# Arrays


def _header(shape: str, descr: str = "'<f4'", extra: str = "", version: int = 1) -> bytes:
    text = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, {extra}}}".encode().ljust(117) + b"\n"
    return b"\x93NUMPY" + bytes([version, 0]) + struct.pack("<H", len(text)) + text


def _npy(path: Path, marker: Path) -> Iterator[tuple[str, Hostile]]:
    yield "announces 4 TB", content(_header("(2**40,)".replace("2**40", str(2**40))) + bytes(400))
    yield "negative length", content(_header("(-5, 3)") + bytes(400))
    yield "too many axes", content(_header(f"({'1,' * 80})") + bytes(400))
    yield "shape of text", content(_header("('a',)") + bytes(400))
    yield "shape overflows", content(_header(f"({2**62}, {2**62})") + bytes(400))
    yield "code in the header", content(_header("__import__('os').getpid()") + bytes(400))
    yield "nested header", content(_header("(" * 3000 + ")" * 3000) + bytes(400))
    yield "unclosed header", content(b"\x93NUMPY\x01\x00" + struct.pack("<H", 40) + b"{'descr': (((".ljust(40))
    yield "header too long", content(b"\x93NUMPY\x02\x00" + struct.pack("<I", 2**31) + b"{}")
    yield "unknown version", content(_header("(3,)", version=9) + bytes(12))
    yield "structured", content(_header("(3,)", "[('a', '<f4'), ('b', '<i4')]") + bytes(24))
    yield "structured objects", content(_header("(3,)", "[('a', '|O')]") + pickle.dumps([1]))
    yield "dates", content(_header("(3,)", "'<M8[ns]'") + bytes(24))
    for name, (new, said) in attacks(marker).items():
        if name.endswith(" 4") or not name[-1].isdigit():
            said = said if "extension" not in name else "extension registry"
            yield f"attack: {name}", content(_header("()", "'|O'") + new, said)
    for name, (new, message) in bombs().items():
        yield f"bomb: {name}", content(_header("()", "'|O'") + new, message)
    for name, change in LEAVES.items():
        yield f"array: {name}", Hostile(lambda p, change=change: _resave(p, change), None)


def _resave(path: Path, change: Callable) -> None:
    array = np.load(path, allow_pickle=True)
    if array.shape == ():
        value = np.array(_changed(array.item(), change, [False]), dtype=object)
    else:
        new = change(array)
        value = np.empty(len(new), object) if isinstance(new, list) else np.asarray(new)
    np.save(path, value, allow_pickle=True)


def _npz(path: Path, marker: Path) -> Iterator[tuple[str, Hostile]]:
    def replaced(name: str, new: bytes, compression: int = zipfile.ZIP_STORED) -> Damage:
        def damage(path: Path) -> None:
            with zipfile.ZipFile(path) as archive:
                members = {info: archive.read(info) for info in archive.namelist()}
            with zipfile.ZipFile(path, "w", compression) as archive:
                for member, old in (members | {name: new}).items():
                    archive.writestr(member, old)

        return damage

    bomb = _header(f"({2**28}, 48, 48, 3)", "'|u1'") + bytes(2**27)
    yield "zip bomb", Hostile(replaced("faces.npy", bomb, zipfile.ZIP_DEFLATED), REFUSED)
    yield "announces 4 TB", Hostile(replaced("faces.npy", _header(f"({2**40},)")), REFUSED)
    yield "shape overflows", Hostile(replaced("faces.npy", _header(f"({2**62}, {2**62})")), REFUSED)
    yield "wrong type", Hostile(replaced("faces.npy", _header("(3,)", "'<U5'") + bytes(60)), None)
    yield "negative length", Hostile(replaced("pieces.npy", _header("(-3,)")), REFUSED)
    yield "nested header", Hostile(replaced("pieces.npy", _header("(" * 3000 + ")" * 3000)), REFUSED)
    yield "leads out of the folder", Hostile(replaced("../../../marker", b"x"), None)
    for name in ("call 4", "exec", "numpy"):
        new = _header("()", "'|O'") + attacks(marker)[name][0]
        yield f"attack: {name}", Hostile(replaced("key.npy", new), REFUSED)


def _hdf5(path: Path, marker: Path) -> Iterator[tuple[str, Hostile]]:
    def rewritten(fill: Callable[[h5py.File, str, np.ndarray], object]) -> Damage:
        def damage(path: Path) -> None:
            with h5py.File(path, "r") as file:
                found: dict[str, np.ndarray] = {}
                file.visititems(lambda k, x: found.update({k: x[()]}) if isinstance(x, h5py.Dataset) else None)
            path.unlink()
            key = next(iter(found))
            with h5py.File(path, "w") as file:
                for other in list(found)[1:]:
                    file[other] = found[other]
                fill(file, key, found[key])

        return damage

    def elsewhere(file: h5py.File, values: np.ndarray) -> Path:
        other = Path(file.filename).with_name("elsewhere.h5")
        with h5py.File(other, "w") as opened:
            opened["x"] = values
        return other

    def external(file, key, values):
        file[key] = h5py.ExternalLink(str(elsewhere(file, values)), "x")

    def virtual(file, key, values):
        layout = h5py.VirtualLayout(values.shape, values.dtype)
        layout[...] = h5py.VirtualSource(elsewhere(file, values), "x", values.shape)
        file.create_virtual_dataset(key, layout)

    def raw_bytes(file, key, values):
        secret = Path(file.filename).with_name("secret")
        secret.write_bytes(bytes(values.nbytes))
        file.create_dataset(key, values.shape, values.dtype, external=[(str(secret), 0, values.nbytes)])

    def array(change: Callable[[np.ndarray], object]) -> Damage:
        return rewritten(lambda file, key, values: file.create_dataset(key, data=change(values)))

    def announced(shape: tuple[int, ...], **options) -> Damage:
        return rewritten(lambda file, key, values: file.create_dataset(key, shape, "f8", **options))

    yield "link to another file", Hostile(rewritten(external), "no dataset")
    yield "soft link", Hostile(rewritten(lambda f, k, v: f.__setitem__(k, h5py.SoftLink("/nowhere"))), "no dataset")
    yield "virtual", Hostile(rewritten(virtual), "lies in other files")
    yield "bytes of another file", Hostile(rewritten(raw_bytes), "lies in other files")
    yield "announces 8 TB", Hostile(announced((2**40,), chunks=(2**16,)), "announces")
    yield "compressed bomb", Hostile(announced((2**14, 2**14, 8), chunks=True, compression="gzip"), "announces")
    yield "shape overflows", Hostile(announced((2**61, 2**2), chunks=(1, 1)), "announces")
    yield "group", Hostile(rewritten(lambda f, k, v: f.create_group(k)), "no dataset")
    yield "other key", Hostile(rewritten(lambda f, k, v: f.create_dataset(f"{k}{k}", data=v)), "no dataset")
    yield "text", Hostile(array(lambda v: np.full(v.shape, b"x")), "expected an array of numbers")
    yield "text of any length", Hostile(array(lambda v: ["a", "bcd"]), "expected an array of numbers")
    yield "complex", Hostile(array(lambda v: v * 1j), "expected an array of numbers")
    yield "structured", Hostile(array(lambda v: np.zeros(3, "f4,i4")), "expected an array of numbers")
    yield "one number", Hostile(array(lambda v: 4.0), "expected an array of numbers")
    yield "no rows", Hostile(array(lambda v: v[:0]), REFUSED)
    yield "fewer rows", Hostile(array(lambda v: v[1:]), REFUSED)
    yield "another axis", Hostile(array(lambda v: v[..., None]), REFUSED)
    yield "NaN", Hostile(array(lambda v: np.full_like(v, np.nan)), REFUSED)
    yield "infinity", Hostile(array(lambda v: np.full_like(v, np.inf)), REFUSED)
    yield "out of range", Hostile(array(lambda v: np.full_like(v, -1e300)), REFUSED)
    yield "half precision", Hostile(array(lambda v: v.astype("f2")), None)


# Text


def _text(path: Path, marker: Path) -> Iterator[tuple[str, Hostile]]:
    yield "UTF-16", changed(lambda b: b.decode().encode("utf-16"), None)
    yield "Latin-1", changed(lambda b: b[:-2] + b"\xe9" + b[-2:])
    yield "byte order mark", changed(lambda b: b"\xef\xbb\xbf" + b, None)
    yield "null bytes", changed(lambda b: b.replace(b",", b",\0").replace(b"_", b"\0_"), None)
    strict = REFUSED if path.suffix in (".csv", ".tsv") else None  # lines of words may hold any other words
    yield "a field of 1 MB", changed(lambda b: b"x" * 2**20 + b"," + b, strict)
    yield "unclosed quote", changed(lambda b: b[: len(b) // 2] + b'"' + b[len(b) // 2 :] * 3, None)
    yield "ten thousand columns", changed(lambda b: b.splitlines()[0] + b",1" * 10_000 + b"\n" + b, None)
    yield "first line alone", changed(lambda b: b.splitlines()[0] + b"\n", None)
    yield "every line twice", changed(lambda b: b"".join(2 * (line + b"\n") for line in b.splitlines()), strict)
    yield "carriage returns", changed(lambda b: b.replace(b"\r\n", b"\n").replace(b"\n", b"\r"), None)
    yield "path out of the folder", changed(lambda b: b.replace(b"_", b"/../../../"), None)
    yield "absolute path", changed(lambda b: b"/etc/passwd\n" + b, None)
    yield "escape sequences", changed(lambda b: b"\x1b]0;owned\x07,\x1b[2J\n" + b, strict)
    for name, cell in (("NaN", b"nan"), ("infinity", b"inf"), ("huge", b"1e999"), ("digits", b"9" * 5000)):
        yield f"cell: {name}", changed(lambda b, cell=cell: _in_last_cell(b, cell), None)


def _in_last_cell(text: bytes, cell: bytes) -> bytes:
    rows = text.rstrip().rpartition(b"," if b"," in text else b" ")
    return rows[0] + rows[1] + cell + b"\n"


def _json(path: Path, marker: Path) -> Iterator[tuple[str, Hostile]]:
    yield "nested", content(b"[" * 100_000)
    yield "long number", content(b"9" * 10_000)
    yield "another type", content(b"[1, 2]")
    yield "UTF-16", changed(lambda b: b.decode().encode("utf-16"))
    for name, value in (
        ("number", 5),
        ("nothing", None),
        ("list", [1]),
        ("text", "../../../etc"),
        ("object", {"a": 1}),
    ):
        yield f"every value: {name}", changed(lambda b, v=value: json.dumps(dict.fromkeys(json.loads(b), v)).encode())
    yield "ids that lead out", changed(lambda b: b.replace(b"stand-in", b"../../../etc"), None)


def _yaml(path: Path, marker: Path) -> Iterator[tuple[str, Hostile]]:
    yield "nested", content(b"[" * 100_000)
    yield "long number", content(b"a: " + b"9" * 10_000)
    yield "another type", content(b"[1, 2]")
    yield "a call", content(f"!!python/object/apply:os.mkdir ['{marker}']".encode())
    yield "a class", changed(lambda b: b + b"x: !!python/name:os.system\n")
    yield "references", changed(lambda b: b"a: &a [1]\nb: [*a, *a]\n" + b, "references")
    yield "a key twice", changed(lambda b: b + b"task: regression\n", "given twice")
    yield "an unknown key", changed(lambda b: b + b"run: me\n", "unknown key 'run'")
    yield "paths that lead out", changed(lambda b: b.replace(b".npz", b".npz/../../x"), None)
    yield "absolute paths", changed(lambda b: b.replace(b"train: ", b"train: /etc/"), None)
    yield "a date that no calendar has", changed(lambda b: b + b"x: 2020-02-31\n")
    yield "escape sequences", changed(lambda b: b + b'x: "\\x1b]0;owned\\x07"\n')
    for name, value in (("number", b"5"), ("nothing", b""), ("list", b"[1]"), ("text", b"../../../etc")):
        lines = changed(lambda b, v=value: b"\n".join(line.partition(b":")[0] + b": " + v for line in b.splitlines()))
        yield f"every value: {name}", lines


def _parquet(path: Path, marker: Path) -> Iterator[tuple[str, Hostile]]:
    def rewritten(change: Callable[[pa.Table], pa.Table], message: str | None = REFUSED, **options: object) -> Hostile:
        return Hostile(lambda path: parquet.write_table(change(parquet.read_table(path)), path, **options), message)

    def column(name: str, values: Callable[[int], object]) -> Callable[[pa.Table], pa.Table]:
        def change(table: pa.Table) -> pa.Table:
            return table.set_column(table.column_names.index(name), name, pa.array(values(len(table))))

        return change

    # One block many times, in the table as in the file: what writing takes must not be taken for what reading takes.
    zeros = pa.chunked_array([np.zeros(2**16)] * 2**10)
    bomb = rewritten(lambda t: pa.table(dict.fromkeys(t.column_names, zeros)), "announces", row_group_size=2**16)
    yield "a bomb", bomb
    yield "no rows", rewritten(lambda t: t[:0])
    yield "no columns", rewritten(lambda t: t.select([]))
    yield "rows twice", rewritten(lambda t: pa.concat_tables([t, t]), "stand apart")
    yield "an unknown column", rewritten(lambda t: t.append_column("more", t["id"]), "means nothing")
    yield "a column twice", rewritten(lambda t: t.append_column("label", t["label"]))
    yield "ids are missing", rewritten(column("id", lambda n: [None] * n))
    yield "labels are missing", rewritten(column("label", lambda n: [None] * n))
    yield "labels are lists", rewritten(column("label", lambda n: [[1, 2]] * n))
    yield "texts", rewritten(column("audio.0", lambda n: ["loud"] * n), "is no number")
    yield "lists", rewritten(column("audio.0", lambda n: [[1.0, 2.0]] * n))
    yield "NaN", rewritten(column("audio.0", lambda n: [float("nan")] * n))
    yield "dates", rewritten(column("audio.0", lambda n: np.array(["2020-01-01"] * n, "datetime64[s]")))
    yield "bytes", rewritten(column("id", lambda n: [b"\xff\xfe"] * n), None)
    yield "gzip", rewritten(lambda t: t, None, compression="gzip")
    strange = {b"pandas": b"[" * 10_000, b"ARROW:schema": b"x"}
    yield "strange metadata", rewritten(lambda t: t.replace_schema_metadata(strange), None)


# Sound and pictures


def _wave(path: Path, marker: Path) -> Iterator[tuple[str, Hostile]]:
    def field(place: int, form: str, value: int) -> Callable[[bytes], bytes]:
        return lambda b: b[:place] + struct.pack(form, value) + b[place + struct.calcsize(form) :]

    yield "announces 4 GB", changed(lambda b: field(40, "<I", 2**32 - 1)(field(4, "<I", 2**32 - 1)(b)), None)
    yield "no channels", changed(field(22, "<H", 0))
    yield "65535 channels", changed(field(22, "<H", 65535))
    yield "no rate", changed(field(24, "<I", 0))
    yield "rate of 4 GHz", changed(field(24, "<I", 2**32 - 1))
    yield "rate of 100 Hz", changed(field(24, "<I", 100), None)
    yield "8 bits", changed(field(34, "<H", 8), "8 bits")
    yield "64 bits", changed(field(34, "<H", 64))
    yield "no bits", changed(field(34, "<H", 0))
    yield "floats", changed(field(20, "<H", 3))
    yield "compressed", changed(field(20, "<H", 85))
    yield "chunk of no end", changed(field(16, "<I", 2**32 - 1))
    yield "no samples", changed(lambda b: field(40, "<I", 0)(b)[:44])


def _flac(path: Path, marker: Path) -> Iterator[tuple[str, Hostile]]:
    def described(rate: int | None = None, channels: int | None = None, samples: int | None = None) -> Damage:
        """With other numbers in the first block, where bits 80 to 143 are rate, channels - 1, bits - 1 and samples."""

        def change(b: bytes) -> bytes:
            word = int.from_bytes(b[18:26], "big")
            for value, shift, bits in ((rate, 44, 20), (channels and channels - 1, 41, 3), (samples, 0, 36)):
                if value is not None:
                    word = word & ~(((1 << bits) - 1) << shift) | value << shift
            return b[:18] + word.to_bytes(8, "big") + b[26:]

        return lambda path: path.write_bytes(change(path.read_bytes()))

    yield "announces 256 GB", Hostile(described(samples=2**36 - 1), REFUSED)
    yield "announces 8 minutes", Hostile(described(samples=480 * 16_000), REFUSED)
    yield "no number of samples", Hostile(described(samples=0), None)
    yield "no rate", Hostile(described(rate=0), REFUSED)
    yield "rate of 1 MHz", Hostile(described(rate=2**20 - 1), None)
    yield "eight channels", Hostile(described(channels=8), None)
    yield "first block alone", changed(lambda b: b[:42])
    yield "signature alone", content(b"fLaC")
    yield "block of no end", content(b"fLaC\x00\xff\xff\xff" + bytes(400))
    yield "frames of zeros", changed(lambda b: b[:42] + bytes(len(b) - 42))


def _flash(path: Path, marker: Path) -> Iterator[tuple[str, Hostile]]:
    """A header of 9 bytes and four zeros; tags of a kind, a length of three bytes, seven others, and the content."""
    head = b"FLV\x01\x05\0\0\0\x09\0\0\0\0"

    def tag(kind: int, sound: bytes, *, length: int | None = None) -> bytes:
        return (
            bytes([kind]) + (len(sound) if length is None else length).to_bytes(3, "big") + bytes(7) + sound + bytes(4)
        )

    yield "signature alone", content(b"FLV")
    yield "header alone", content(head)
    yield "first tag 4 GB away", changed(lambda b: b[:5] + b"\xff" * 4 + b[9:])
    yield "a tag beyond the end", content(head + tag(8, b"\x2e" + bytes(50), length=2**24 - 1))
    yield "tags without an end", content(head + tag(9, b"") * 20_000)
    yield "sound of another kind", content(head + tag(8, b"\xae" + bytes(500)))
    yield "empty sound", content(head + tag(8, b"\x2e") * 40)
    yield "sound of zeros", content(head + tag(8, b"\x2e" + bytes(5000)))
    yield "sound of noise", content(head + tag(8, b"\x2e" + np.random.default_rng(1).bytes(5000)), None)


def _image(path: Path, marker: Path) -> Iterator[tuple[str, Hostile]]:
    def frame(width: int, height: int) -> Callable[[bytes], bytes]:
        def change(b: bytes) -> bytes:
            place = b.index(b"\xff\xc0") + 5
            return b[:place] + struct.pack(">HH", height, width) + b[place + 4 :]

        return change

    def other(form: str) -> bytes:
        handle = io.BytesIO()
        Image.new("RGB", (48, 48)).save(handle, form)
        return handle.getvalue()

    yield "65535 x 65535", changed(frame(65535, 65535))
    yield "no width", changed(frame(0, 48))
    yield "larger than its data", changed(frame(3000, 3000), None)
    for form in ("PNG", "GIF", "BMP", "TIFF"):
        yield form, content(other(form))
    yield "scripted SVG", content(b"<svg><script>1</script></svg>")
    yield "PostScript", content(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n")
    yield "markers alone", content(b"\xff\xd8" + b"\xff\xe1\xff\xff" * 50)
