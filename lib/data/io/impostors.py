"""What people have in place of a data file, told by its first bytes: pointers, web pages, archives, half a download.

Every reader asks here before it parses, because what a parser says about such a file ("KeyError: 118") helps nobody.
"""

import json
import re
from pathlib import Path

from lib.errors import InputError

LFS_POINTER = b"version https://git-lfs"
VECTORS = "word vectors"
"""Stands for the ending of a file of word vectors, which may have any: text, a pickle, or either of them packed."""
_HEAD = 2**13
_WHOLE = "get the file itself again"
CUT_SHORT = "it was cut short, as by an incomplete download or copy: get it again"
_UNPACK = "unpack it and put the file that is in it in this place"
_UNFINISHED = (".part", ".crdownload", ".download", ".partial", ".aria2", ".tmp")
_PACKED = (".gz", ".zip", ".bz2", ".xz", ".zst", ".7z", ".rar", ".tar", ".tgz", ".lz4")

_SIGNATURES: tuple[tuple[bytes, str, str], ...] = (
    (LFS_POINTER, "a Git LFS pointer", "run `git lfs pull` in the clone that it comes from, and copy the file again"),
    (b"\x1f\x8b", "gzip-compressed data", _UNPACK),
    (b"\x1f\x9d", "data packed by `compress`", _UNPACK),
    (b"BZh91AY&SY", "bzip2-compressed data", _UNPACK),
    (b"\xfd7zXZ\0", "xz-compressed data", _UNPACK),
    (b"\x28\xb5\x2f\xfd", "Zstandard-compressed data", _UNPACK),
    (b"\x04\x22\x4d\x18", "lz4-compressed data", _UNPACK),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", _UNPACK),
    (b"Rar!\x1a\x07", "a RAR archive", _UNPACK),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file", ""),
    (b"\x93NUMPY", "a .npy array", ""),
    (b"MATLAB 5.0 MAT-file", "a MATLAB file", "save what it holds in the published format"),
    (b"PAR1", "a Parquet file", "save what it holds in the published format"),
    (b"ARROW1", "an Arrow file", "save what it holds in the published format"),
    (b"SQLite format 3\0", "an SQLite database", "save what it holds in the published format"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "a spreadsheet or document of an old Office", "save it as CSV (UTF-8)"),
    (b"%PDF-", "a PDF document", _WHOLE),
    (b"{\\rtf", "an RTF document", "save it as plain text (UTF-8)"),
    (b"\x7fELF", "a program", _WHOLE),
    (b"MZ\x90\0", "a program", _WHOLE),
    (b"\x89PNG\r\n", "a PNG image", ""),
    (b"GIF8", "a GIF image", ""),
    (b"\xff\xd8\xff", "a JPEG image", ""),
    (b"OggS", "an Ogg recording", ""),
    (b"fLaC", "a FLAC recording", ""),
    (b"ID3\x03", "an MP3 recording", ""),
    (b"ID3\x04", "an MP3 recording", ""),
    (b"\x1a\x45\xdf\xa3", "a Matroska or WebM video", ""),
    (b"FLV\x01", "a Flash video", ""),
    (b"\x2f\x4f\x16\xba", "a trained fastText model", "take the vectors of its words as text (`.vec`)"),
)
_IMAGES = ("a JPEG image",)
_OWN = {
    ".h5": ("an HDF5 file",),
    ".csd": ("an HDF5 file",),
    ".parquet": ("a Parquet file",),
    ".yaml": ("text", "JSON text"),
    ".npy": ("a .npy array",),
    ".npz": ("a zip archive", "a .npz archive"),
    ".wav": ("a WAV recording",),
    ".flac": ("a FLAC recording",),
    ".jpg": _IMAGES,
    ".jpeg": _IMAGES,
    ".avi": ("an AVI video", "an MP4 video", "a Matroska or WebM video", "a Flash video"),
    ".mp4": ("an MP4 video", "an AVI video", "a Matroska or WebM video", "a Flash video"),
    ".flv": ("a Flash video",),
    ".json": ("JSON text", "text"),
    ".csv": ("text",),
    ".txt": ("text",),
    ".tsv": ("text",),
    ".pkl": ("a pickle",),
    ".p": ("a pickle",),
    ".pt": ("a pickle",),
    VECTORS: ("text", "a pickle", "gzip-compressed data"),
}
"""What a file of this ending may be. Anything else that can be told is in its place."""
_NEVER = ("empty", "zeros alone", "a Git LFS pointer", "an HTML page", "the answer of a server")
"""No data, whatever the ending says."""
_EXPECTED = {
    ".h5": "a complete HDF5 file", ".csd": "a complete HDF5 file", ".parquet": "a complete Parquet file",
    ".yaml": "YAML", ".npy": "a complete .npy file", ".npz": "a complete .npz archive",
    ".wav": "a readable WAV file", ".flac": "a readable FLAC file", ".jpg": "a readable JPEG image",
    ".jpeg": "a readable JPEG image",
    ".avi": "a readable video", ".mp4": "a readable video", ".flv": "a Flash video",
    ".json": "JSON", ".csv": "a table of text", ".tsv": "a table of text", ".txt": "plain text",
    ".pkl": "a complete, readable pickle", ".p": "a complete, readable pickle", ".pt": "a complete, readable pickle",
    VECTORS: "a file of word vectors",
}  # fmt: skip
_TITLE = re.compile(rb"<title[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)


def refuse(path: Path, *, how: str | None = None, expected: str | None = None) -> None:
    """Nothing, if `path` may be what its ending says; else InputError: what it is, and how to get the file.

    `expected` is an ending to judge by instead of the file's own. `how` says where the file comes from. A missing
    file and one that cannot be read are refused as well, with what lies beside it (a download that has not ended, an
    archive).
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(_absence(path), where=path, todo=how)
    if fault := fault_of(path, expected=expected):
        what, todo = fault
        raise InputError(what, where=path, todo="; ".join(part for part in (todo, how) if part) or None)


def fault_of(path: Path, *, expected: str | None = None) -> tuple[str, str] | None:
    """What a file is, if it is not what its ending says, and what to do; None if it may be.

    Raises InputError for a file that cannot be read.
    """
    ending = expected or path.suffix.lower()
    try:
        with path.open("rb") as handle:
            head = handle.read(_HEAD)
            found, todo = _kind(head, path.stat().st_size, handle)
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror or error}", where=path) from None
    own = _OWN.get(ending)
    if not found or found in (own or ()) or (own is None and not found.startswith(_NEVER)):
        return None
    if found == "text" and own == ("a pickle",):
        return _not_a_text_pickle(head)
    return f"not {_EXPECTED.get(ending, 'the file itself')} but {found}", todo or _WHOLE


def _absence(path: Path) -> str:
    if path.is_dir():
        return "a folder, not a file"
    if path.is_symlink():
        return f"a link to {path.readlink()}, which is not there"
    try:
        beside = sorted(other.name for other in path.parent.iterdir() if _stands_for(other.name, path))
    except OSError:
        beside = []
    for name in beside:
        if name.endswith(_UNFINISHED):
            return f"missing; the download {name} beside it has not ended"
        return f"missing; unpack {name}, which lies beside it"
    return "missing"


def _stands_for(name: str, path: Path) -> bool:
    rest = name.removeprefix(path.name) if name.startswith(path.name) else name.removeprefix(path.stem)
    return rest != name and rest.lower() in (*_UNFINISHED, *_PACKED, ".tar.gz")


def _kind(head: bytes, size: int, handle) -> tuple[str, str]:
    """What the bytes are and what to do about it; ("", "") for what cannot be told."""
    if not size:
        return "empty", f"a download or copy did not work: {_WHOLE}"
    if not head.strip(b"\0"):
        return ("zeros alone", f"a download or copy did not work: {_WHOLE}") if not _beyond_zeros(handle) else ("", "")
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _zip_kind(head)
    if head[257:262] == b"ustar":
        return "a tar archive", _UNPACK
    if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
        return "a WAV recording", ""
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return "an AVI video", ""
    if head[4:8] == b"ftyp":
        return "an MP4 video", ""
    if head[:1] == b"\x80" and head[1:2] in (b"\2", b"\3", b"\4", b"\5"):
        return "a pickle", ""
    for signature, found, todo in _SIGNATURES:
        if head.startswith(signature):
            return found, todo
    return _text_kind(head)


def _beyond_zeros(handle) -> bool:
    while block := handle.read(2**20):
        if block.strip(b"\0"):
            return True
    return False


def _zip_kind(head: bytes) -> tuple[str, str]:
    if b"/data.pkl" in head[:300] or b"/version" in head[:300]:
        return "a file of torch.save", "save what it holds with pickle, arrays as NumPy arrays"
    if b"[Content_Types].xml" in head[:600] or b"xl/" in head[:600]:
        return "an Excel workbook", "save it as CSV (UTF-8)"
    if b".npy" in head[:300]:
        return "a .npz archive", "save what it holds in the published format"
    return "a zip archive", _UNPACK


def _text_kind(head: bytes) -> tuple[str, str]:
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    lower = start[:1000].lower()
    if lower.startswith((b"<!doctype html", b"<html", b"<head", b"<body", b"<script", b"<div")) or (
        lower.startswith(b"<") and b"<html" in lower
    ):
        title = _TITLE.search(head)
        name = f" ({' '.join(title[1].decode('utf-8', 'replace').split())!r:.80})" if title else ""
        login = "it needs a login or a confirmation in the browser, or its quota is used up"
        return f"an HTML page{name}", f"the server sent a page in place of the file: {login}"
    if lower.startswith((b"<?xml", b"<error", b"<svg")):
        return "XML text", "the server sent a message in place of the file; read it, and get the file again"
    if lower.startswith((b"http/1.", b"http/2")):
        return "the answer of a server", _WHOLE
    if start[:1] in (b"{", b"[") and _is_json(start, len(head) < _HEAD):
        return "JSON text", "the server sent a message in place of the file; read it, and get the file again"
    if b"\0" not in head and not re.search(rb"[\x01-\x08\x0e-\x1a\x1c-\x1f]", head):
        return "text", ""
    return "", ""


def _is_json(start: bytes, whole: bool) -> bool:
    if not whole:
        return bool(re.match(rb'\s*[\[{]\s*(?:[\[{]\s*)*"[^"\n]{0,200}"\s*[:,\]]', start))
    try:
        json.loads(start)
    except (ValueError, RecursionError):
        return False
    return True


def _not_a_text_pickle(head: bytes) -> tuple[str, str] | None:
    """Protocol 0, Python 2's default, is text as well: instructions and their arguments, one a line."""
    if re.match(rb"\([dlSVIFLicNt(]|c[A-Za-z_][\w.]*\r?\n|[IL]-?[0-9]|F-?[0-9.]|S['\"]|V[^\n]*\np0\n|N\.", head):
        return None
    shown = " ".join(head[:60].decode("utf-8", "replace").split())
    return f"not {_EXPECTED['.pkl']} but text, which begins {shown!r}", _WHOLE
