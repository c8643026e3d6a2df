"""Files of word vectors as they are published, and what is wrong with those that are not."""

import gzip
import pickle
import resource
import struct
from pathlib import Path

import numpy as np
import pytest

from lib import data
from lib.data.io import vector_files
from lib.errors import InputError
from tests.data.readers import write_mosi

WORDS = {"hello": [0.5, -1, 2], "happy": [1, 2, 3], "sad": [-1, -2, -3], "at": [0.25, 0, -0.5], "2": [9, 9, 9]}


def row(word: str, numbers: list[float], separator: str = " ", end: str = "\n") -> str:
    return separator.join([word, *(f"{number:g}" for number in numbers)]) + end


ROWS = "".join(row(word, numbers) for word, numbers in WORDS.items())
SPACED = row(". . .", [7, 7, 7]) + row("at name@domain.com", [8, 8, 8])
SPACED += row("20 000", [6, 6, 6]) + row("at 1", [5, 5, 5])
BINARY = b"".join(word.encode() + b" " + struct.pack("<3f", *numbers) for word, numbers in WORDS.items())
BINARY_LINES = BINARY.replace(b"happy ", b"\nhappy ").replace(b"sad ", b"\nsad ")
FORMS: dict[str, bytes] = {
    "plain": ROWS.encode(),
    "tokens with blanks behind": (ROWS + SPACED).encode(),
    "tokens with blanks in front": (SPACED + ROWS).encode(),
    "word2vec header": ("5 3\n" + ROWS).encode(),
    "header and blanks at line ends": ("5 3 \n" + ROWS.replace("\n", " \n")).encode(),
    "header and tokens with blanks": ("9 3\n" + SPACED + ROWS).encode(),
    "byte-order mark": ("\ufeff" + ROWS).encode(),
    "byte-order mark and header": ("\ufeff5 3\n" + ROWS).encode(),
    "empty lines": ("\n" + ROWS.replace("sad", "\n\nsad") + "\n\n").encode(),
    "no line end": ROWS.rstrip().encode(),
    "Windows line ends": ROWS.replace("\n", "\r\n").encode(),
    "Windows line ends and header": ("5 3\n" + ROWS).replace("\n", "\r\n").encode(),
    "tabs": "".join(row(word, numbers, "\t") for word, numbers in WORDS.items()).encode(),
    "two blanks": "".join(row(word, numbers, "  ") for word, numbers in WORDS.items()).encode(),
    "a word twice": (ROWS + row("sad", [4, 4, 4]) + row("happy", [4, 4, 4])).encode(),
    "words that Python reads as numbers": (row("nan", [1, 1, 1]) + row("infinity", [1, 1, 1]) + ROWS).encode(),
    "a blank as a word": ("\u00a0 4 4 4\n" + "  4 4 4\n" + ROWS).encode(),
    "other bytes in words nobody wants": b"caf\xe9 1 1 1\n\xff\xfe\x85 2 2 2\n" + ROWS.encode(),
    "gzip": gzip.compress(ROWS.encode()),
    "gzip with header": gzip.compress(("5 3\n" + ROWS).encode()),
    "word2vec binary": b"5 3\n" + BINARY,
    "word2vec binary with line ends": b"5 3\n" + BINARY_LINES,
    "word2vec binary in gzip": gzip.compress(b"5 3\n" + BINARY),
    "pickle": pickle.dumps(WORDS),
}


@pytest.mark.parametrize("name", ["v.txt", "v.vec", "v.bin", "v.gz", "v"])
@pytest.mark.parametrize("form", FORMS)
def test_no_word_is_lost_in_any_published_form(form, name, tmp_path):
    path = tmp_path / name
    path.write_bytes(FORMS[form])
    found = vector_files.known_vectors(path, set(WORDS) | {"absent"})
    assert set(found) == set(WORDS)
    for word, numbers in WORDS.items():
        np.testing.assert_array_equal(found[word], np.array(numbers, np.float32), strict=True)


def test_tokens_with_blanks_are_words_too(tmp_path):
    (tmp_path / "v.txt").write_bytes(FORMS["tokens with blanks in front"])
    found = vector_files.known_vectors(tmp_path / "v.txt", {". . .", "at name@domain.com", "20 000", "at 1", "at"})
    assert {word: vector[0] for word, vector in found.items()} == {
        ". . .": 7, "at name@domain.com": 8, "20 000": 6, "at 1": 5, "at": 0.25,
    }  # fmt: skip


def test_vectors_of_one_number_are_no_header(tmp_path):
    for text in ("5 4\nhappy 1\nsad 2\n7 3\n", "happy 1\n5 4\nsad 2\n7 3\n"):
        (tmp_path / "v.txt").write_text(text)
        found = vector_files.known_vectors(tmp_path / "v.txt", {"5", "happy", "sad", "7"})
        numbers = {word: vector.tolist() for word, vector in found.items()}
        assert numbers == {"5": [4], "happy": [1], "sad": [2], "7": [3]}


BOMB = gzip.compress(ROWS.encode() * 300 + (b" " * 4000 + b"\n") * 20_000)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"6 3\n" + ROWS.encode(), "the first line announces 6 words, there are 5; it was cut short"),
        (ROWS.encode() + b"fine 1 2", "line 6: 2 numbers, expected 3; it was cut short"),
        (b"5 300\n" + ROWS.encode(), "the first line announces vectors of 300 numbers, the lines have 3"),
        (ROWS.replace(" ", ",").encode(), "no line `word v1 v2"),
        (ROWS.replace(" ", ";").encode(), "no line `word v1 v2"),
        (ROWS.replace("\n", "\r").encode(), "carriage returns; save the file with line ends of Unix"),
        (ROWS.encode("utf-16"), "UTF-16; save the file as UTF-8"),
        (b"happy one two\n" * 9, "no line `word v1 v2"),
        (ROWS.replace("-2", "x").encode(), "line 3: a vector that does not consist of numbers"),
        (b"x" * 2**21, "more than 1048576 bytes"),
        (gzip.compress(ROWS.encode() * 100, mtime=0)[:-12], "the compressed data end too early; it was cut short"),
        (b"5 3\n" + BINARY[:-3], "ends after 4 of 5 words; it was cut short"),
        (b"5 3\n" + BINARY * 2, None),
        (b"\x2f\x4f\x16\xba" + bytes(99), "trained fastText model"),
        (BOMB, "unpacks to far more than"),
        (b"\n\n", "no line `word v1 v2"),
    ],
)
def test_what_is_no_file_of_word_vectors_is_one_line(content, message, tmp_path):
    (tmp_path / "v.txt").write_bytes(content)
    if message is None:
        assert vector_files.known_vectors(tmp_path / "v.txt", set(WORDS)).keys() == WORDS.keys()
        return
    with pytest.raises(InputError, match=message):
        vector_files.known_vectors(tmp_path / "v.txt", set(WORDS))


def test_large_files_are_streamed(tmp_path):
    """A quarter of a million rows; only the wanted ones take memory."""
    path = tmp_path / "v.txt"
    with path.open("w") as handle:
        for start in range(0, 250_000, 1000):
            handle.write("".join(f"w{n} {n} 0.123456 0.123456 0.123456\n" for n in range(start, start + 1000)))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = vector_files.known_vectors(path, {"w0", "w249999"})
    assert found["w249999"][0] == 249_999
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000  # KiB; the file alone has 10,000


@pytest.mark.parametrize("form", ["tokens with blanks in front", "word2vec header", "byte-order mark", "gzip"])
def test_both_places_read_the_same_forms(form, tmp_path):
    """MOSI's words and MELD's."""
    write_mosi(tmp_path)
    content = FORMS[form].replace(b"happy", b"good").replace(b"hello", b"very")
    if form == "gzip":
        content = gzip.compress(gzip.decompress(FORMS[form]).replace(b"happy", b"good").replace(b"hello", b"very"))
    Path(tmp_path / "vectors.any").write_bytes(content)
    corpus = data.load("mosi_words", tmp_path, glove="vectors.any")
    assert corpus.modalities["text"] == 3
    text = corpus.splits["train"].features["text"].reshape(-1, 3)
    assert {tuple(vector) for vector in text.tolist()} == {(0, 0, 0), (1, 2, 3), (0.5, -1, 2)}
    (said,) = [warning for warning in corpus.source.warnings if "vectors.any" in warning]
    assert "occurrences) are not in it and are zeros" in said
