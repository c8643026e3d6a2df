"""Files of word vectors, as they are published: a pickle, lines of `word v1 v2 ...` (GloVe, word2vec and fastText as
text), or word2vec's binary form; either of the last two also gzip-compressed.

Of a line the last `width` cells are the numbers, what stands before is the word, which may hold blanks (GloVe 840B has
`. . .` and `at name@domain.com`) or be a number itself. The width is what a first line `count width` says, else the
commonest number of numbers at the end of the first lines. Of a word that occurs twice the first vector counts. Only
the wanted words are kept in memory.

The emotion-embedding release keeps the vectors of its emotion words in a plain pickle, word to 300 numbers (spec
emotion_embeddings, 5.1).
"""

from __future__ import annotations

import gzip
import pickle
import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from lib.data.io import impostors, safe_pickle
from lib.data.io.impostors import CUT_SHORT
from lib.errors import InputError
from lib.files import atomic_path

if TYPE_CHECKING:
    from jaxtyping import Float

RELEASED = "glove.emotions.840B.300d.pt"
"""The authors' file, below the data folder."""
_LOOKED_AT = 1000  # lines that decide the width
_LONGEST = 2**20  # bytes of a line
_WIDEST = 2**15
_SMALL, _COMPRESSION = 2**26, 200  # bytes that may be unpacked, and at most so many times what the file holds
_HEADER = re.compile(rb"\s*([0-9]{1,18})[ \t]+([0-9]{1,9})\s*")
_NUMBER = re.compile(rb"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|[+-]?(?:nan|inf)", re.IGNORECASE)


def look_up(path: Path, words: Sequence[str], *, capitalised: bool = False) -> Float[np.ndarray, "emotions width"]:
    """Float32 vectors of these words, in their order; `capitalised` looks them up with a capital first letter.

    Raises InputError for a missing or damaged file, a word that it does not hold, and vectors of several lengths.
    """
    wanted = [word.capitalize() if capitalised else word for word in words]
    found = known_vectors(path, set(wanted))
    if missing := [word for word in wanted if word not in found]:
        raise InputError(f"no vector of {', '.join(missing)}", where=path)
    return np.stack([found[word] for word in wanted])


def known_vectors(path: Path, words: Set[str]) -> dict[str, np.ndarray]:
    """Float32 vectors of those of these words that the file holds. Raises InputError as `look_up`."""
    if not path.exists() and not path.is_symlink():
        raise InputError("no such file of word vectors", where=path, todo="see ./run_all.sh data check")
    ending = path.suffix.lower()
    pickled = ending in (".pt", ".pkl", ".p")
    impostors.refuse(path, expected=ending if pickled else impostors.VECTORS)
    with path.open("rb") as handle:
        pickled |= handle.read(1) == b"\x80"  # a pickle under another name; a line of text cannot begin so
    stored = _pickled(path) if pickled else _streamed(path, words)
    try:
        with np.errstate(over="ignore"):  # what does not fit becomes infinite, and is refused below
            found = {word: np.array(stored[word], dtype=np.float32) for word in words if word in stored}
    except (ValueError, TypeError, OverflowError):
        raise InputError("a vector that does not consist of numbers", where=path) from None
    if not found:
        raise InputError(f"no vector of {', '.join(sorted(words)[:10])}", where=path)
    if len({vector.shape for vector in found.values()}) > 1:
        raise InputError("vectors of several lengths", where=path)
    for word, vector in found.items():
        if vector.ndim != 1 or not vector.size or not np.isfinite(vector).all():
            raise InputError(f"the vector of {word} is not a row of finite numbers", where=path)
    return found


def coverage(found: Mapping[str, np.ndarray], wanted: Counter[str], file: str) -> str:
    """The sentence for `Source.warnings`: how many of a corpus' words, and of their occurrences, have no vector."""
    lacking = [word for word in wanted if word not in found]
    times = sum(wanted[word] for word in lacking)
    said = f"word vectors of {Path(file).name}"
    if not lacking:
        return said
    of_words, of_times = f"{len(lacking)} of {len(wanted)} words", f"{times} of {wanted.total()} occurrences"
    return f"{said}; {of_words} ({of_times}) are not in it and are zeros"


def write(path: Path, vectors: Mapping[str, np.ndarray]) -> None:
    """Write the pickle that `look_up` reads."""
    with atomic_path(path) as temporary, temporary.open("wb") as handle:
        pickle.dump({word: [float(v) for v in vector] for word, vector in vectors.items()}, handle, protocol=4)


def _pickled(path: Path) -> Mapping[str, object]:
    found = safe_pickle.load(path)
    if not isinstance(found, dict):
        raise InputError(f"a {type(found).__name__}, expected a dictionary of words", where=path)
    return found


class _Stream:
    """The bytes of a file, unpacked if it is gzip-compressed, in pieces of bounded length."""

    def __init__(self, handle: BinaryIO, packed: bool, size: int):
        self._handle = gzip.GzipFile(fileobj=handle) if packed else handle
        self._left = max(_SMALL, _COMPRESSION * size) if packed else size
        self.line = 0

    def read(self, size: int) -> bytes:
        return self._counted(self._handle.read(size))

    def readline(self) -> bytes:
        text = self._counted(self._handle.readline(_LONGEST))
        self.line += 1
        if len(text) == _LONGEST:
            raise InputError(f"line {self.line} has more than {_LONGEST} bytes: not a file of word vectors")
        if b"\r" in text.rstrip(b"\r\n"):
            raise InputError(
                f"line {self.line} holds carriage returns", todo="save the file with line ends of Unix (LF)"
            )
        return text

    def _counted(self, piece: bytes) -> bytes:
        self._left -= len(piece)
        if self._left < 0:
            raise InputError("unpacks to far more than a file of word vectors would")
        return piece


def _streamed(path: Path, words: Set[str]) -> dict[str, object]:
    """Of the wanted words the cells, or the numbers, of their first occurrence."""
    wanted = {word.encode(): word for word in words}
    found: dict[str, object] = {}
    try:
        with path.open("rb") as handle:
            packed = handle.read(2) == b"\x1f\x8b"
            handle.seek(0)
            for word, vector in _entries(_Stream(handle, packed, path.stat().st_size)):
                if (name := wanted.get(word)) is not None and name not in found:
                    found[name] = vector()
        return found
    except InputError as error:
        raise InputError(error.what, where=path, todo=error.todo) from None
    except EOFError:
        raise InputError("the compressed data end too early", where=path, todo=CUT_SHORT) from None
    except (OSError, zlib.error) as error:
        raise InputError(f"not a readable file of word vectors ({error})", where=path) from None


Entry = tuple[bytes, Callable[[], object]]


def _entries(stream: _Stream) -> Iterator[Entry]:
    """Words and what makes their vectors."""
    first = _unmarked(stream.readline())
    if (header := _HEADER.fullmatch(first)) and 0 < int(header[2]) <= _WIDEST:
        rest = stream.read(2**12)
        if _is_binary(rest):
            yield from _binary(stream, rest, *map(int, header.groups()))
            return
        yield from _text(_Lines(stream, rest, ()), (int(header[1]), int(header[2])), first)
        return
    yield from _text(_Lines(stream, b"", (first,)), None, first)


def _is_binary(piece: bytes) -> bool:
    return len(re.findall(rb"[\0-\x08\x0e-\x1f]", piece)) > len(piece) / 100


class _Lines:
    """The lines of a stream of which a piece has been read already; `number` counts them from the file's first."""

    def __init__(self, stream: _Stream, piece: bytes, before: tuple[bytes, ...]):
        self._lines, self.number = self._of(stream, piece, before), 0 if before else 1

    def _of(self, stream: _Stream, piece: bytes, before: tuple[bytes, ...]) -> Iterator[bytes]:
        yield from before
        *whole, last = piece.split(b"\n")
        yield from whole
        while text := stream.readline():
            yield last + text
            last = b""
        if last:
            yield last

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        for text in self._lines:
            self.number += 1
            yield self.number, text


def _text(lines: _Lines, header: tuple[int, int] | None, first: bytes) -> Iterator[Entry]:
    numbered = iter(lines)
    looked_at = list(islice(numbered, _LOOKED_AT))
    width = _width([text for _, text in looked_at], header)
    count = 0
    if header and width != header[1]:  # a word that is a number, with a vector of one number
        looked_at.insert(0, (1, first))
        header = None
    for source in (looked_at, numbered):
        for number, text in source:
            cells = text.rsplit(None, width)
            if not cells:
                continue
            count += 1
            if len(cells) <= width:
                if text[:1] in (b" ", b"\t") and len(cells) == width:
                    continue  # the word is a blank
                given = len(cells) - 1
                raise InputError(f"line {number}: {given} numbers, expected {width}", todo=CUT_SHORT)
            yield b" ".join(cells[0].split()), lambda cells=cells, number=number: _numbers(cells[1:], number)
    if header and count < header[0]:
        raise InputError(f"the first line announces {header[0]} words, there are {count}", todo=CUT_SHORT)


def _unmarked(text: bytes) -> bytes:
    if text.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise InputError("word vectors in UTF-16", todo="save the file as UTF-8")
    return text.removeprefix(b"\xef\xbb\xbf")


def _width(texts: Sequence[bytes], header: tuple[int, int] | None) -> int:
    """Numbers of a vector. Of equally common ones the larger: a row that lacks one is refused, not misread."""
    runs: Counter[int] = Counter()
    for text in texts:
        cells = text.split()
        run = next((i for i, cell in enumerate(reversed(cells)) if not _NUMBER.fullmatch(cell)), len(cells))
        if cells:
            runs[min(run, len(cells) - 1)] += 1
    width = max(runs, key=lambda run: (runs[run], run), default=0)
    if header and (not runs or width == header[1] or runs[header[1]]):
        return header[1]
    if header and width != 1:
        raise InputError(
            f"the first line announces vectors of {header[1]} numbers, the lines have {width}", todo=CUT_SHORT
        )
    if not 0 < width <= _WIDEST:
        raise InputError("not a file of word vectors: no line `word v1 v2 ...`")
    return width


def _numbers(cells: Sequence[bytes], line: int) -> list[float]:
    try:
        return [float(cell) for cell in cells]
    except ValueError:
        raise InputError(f"line {line}: a vector that does not consist of numbers") from None


def _binary(stream: _Stream, piece: bytes, count: int, width: int) -> Iterator[Entry]:
    """word2vec's form: the word, a blank and float32 numbers; in some copies a line end before the next word."""
    held = bytearray(piece)

    def more() -> bool:
        held.extend(block := stream.read(2**16))
        return bool(block)

    for number in range(count):
        while (blank := held.find(b" ")) < 0 and len(held) < _LONGEST and more():
            pass
        if blank < 0:
            raise InputError(f"ends after {number} of {count} words", todo=CUT_SHORT)
        end = blank + 1 + 4 * width
        while len(held) < end and more():
            pass
        if len(held) < end:
            raise InputError(f"ends after {number} of {count} words", todo=CUT_SHORT)
        word, numbers = bytes(held[:blank]).lstrip(b"\n"), bytes(held[blank + 1 : end])
        del held[:end]
        yield word, lambda numbers=numbers: np.frombuffer(numbers, "<f4")
