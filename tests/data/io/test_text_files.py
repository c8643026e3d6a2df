"""Tables and lists as a spreadsheet or an editor saves them, in every reader of text."""

import csv
import io
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from lib.data.corpus import Corpus
from lib.data.io import text_files
from lib.data.mosi import mosi_tables
from lib.errors import InputError
from tests.data.readers import READERS
from tests.data.samples import assert_same_corpus

TABLES = {
    "iemocap": "iemocap/non_combined/df_iemocap.csv",
    "mosi_utterances": "mosi_utterance/transcripts.csv",
    "mosi_words": "mosi_utterance/audio/audio_train0.csv",
    "mosi_conversations": "mosi_utterance/text_test.csv",
    "meld_text": "meld/train_sent_emo.csv",
    "MOSEI's release": "Labels/one.csv",
}
LISTS = {
    "raw IEMOCAP": "IEMOCAP_SPLIT/train_split.txt",
    "raw MOSEI": "MOSEI_SPLIT/test_split.txt",
    "MOSEI's release": "Transcript/Segmented/Combined/second.txt",
    "IEMOCAP's release": "Session1/dialog/EmoEvaluation/Ses01F_impro01.txt",
}


def resaved(separator: str) -> Callable[[str], str]:
    """The same cells with another separator, quoted where they must be."""

    def save(text: str) -> str:
        handle = io.StringIO()
        csv.writer(handle, delimiter=separator, lineterminator="\n").writerows(csv.reader(io.StringIO(text)))
        return handle.getvalue()

    return save


def quoted(text: str) -> str:
    handle = io.StringIO()
    csv.writer(handle, quoting=csv.QUOTE_ALL).writerows(csv.reader(io.StringIO(text)))
    return handle.getvalue()


def ended(text: str) -> str:
    return text if text.endswith("\n") else text + "\n"


TEXT: dict[str, Callable[[str], bytes]] = {
    "byte-order mark": lambda text: ("\ufeff" + text).encode(),
    "UTF-16 with a mark": lambda text: text.encode("utf-16"),
    "UTF-16, big end first": lambda text: b"\xfe\xff" + text.encode("utf-16-be"),
    "UTF-16 without a mark": lambda text: text.encode("utf-16-le"),
    "UTF-32": lambda text: text.encode("utf-32"),
    "Windows line ends": lambda text: text.replace("\r\n", "\n").replace("\n", "\r\n").encode(),
    "empty last lines": lambda text: (ended(text) + "\n\n").encode(),
    "empty first line": lambda text: ("\n" + text).encode(),
    "no line end": lambda text: text.rstrip("\r\n").encode(),
    "all at once": lambda text: (ended(text).replace("\r\n", "\n") + "\n").replace("\n", "\r\n").encode("utf-16"),
}
TABLE: dict[str, Callable[[str], bytes]] = {
    "semicolons": lambda text: resaved(";")(text).encode(),
    "tabs": lambda text: resaved("\t")(text).encode(),
    "tabs in UTF-16": lambda text: resaved("\t")(text).encode("utf-16"),
    "separator named in the first line": lambda text: ("sep=;\n" + resaved(";")(text)).encode(),
    "rows of commas": lambda text: (ended(text) + ",,,,\n , ,\n").encode(),
    "empty cells behind every row": lambda text: "".join(
        line + ",,\n" for line in resaved(",")(text).splitlines()
    ).encode(),
    "every cell quoted": lambda text: quoted(text).encode(),
}
CASES = [(name, file, form, TEXT[form]) for name, file in (TABLES | LISTS).items() for form in TEXT]
CASES += [(name, file, form, TABLE[form]) for name, file in TABLES.items() for form in TABLE]
CASES += [("MOSEI's release", TABLES["MOSEI's release"], form, TEXT[form]) for form in TEXT]


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """A folder of sound files per reader, and what is read from it."""
    made: dict[str, tuple[Path, object]] = {}

    def folder(name: str) -> tuple[Path, object]:
        if name not in made:
            root = tmp_path_factory.mktemp("sound")
            READERS[name].make(root)
            copy = tmp_path_factory.mktemp("copy") / "data"
            shutil.copytree(root, copy)
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("REPRISE_CACHE", str(tmp_path_factory.mktemp("cache")))
                found = READERS[name].read(copy)
                made[name] = root, found if isinstance(found, Corpus) else content(found, copy)
        return made[name]

    return folder


def content(found: object, root: Path) -> str:
    """What is read, without the folder it lies in."""
    return repr(found).replace(str(root), "")


@pytest.mark.parametrize(("name", "file", "form", "save"), CASES, ids=[f"{n}: {f}" for n, _, f, _ in CASES])
def test_a_file_saved_in_another_form_is_the_same(name, file, form, save, sound, tmp_path):
    source, before = sound(name)
    root = tmp_path / "data"
    shutil.copytree(source, root)
    path = root / file
    path.write_bytes(save(path.read_text(encoding="utf-8", errors="strict")))
    after = READERS[name].read(root)
    if isinstance(before, Corpus):
        assert_same_corpus(after, before)
    else:
        assert content(after, root) == before


ONE_BYTE = {name: file for name, file in (TABLES | LISTS).items() if not name.endswith("release")}


@pytest.mark.parametrize("name", ONE_BYTE)
def test_a_one_byte_encoding_is_named_with_its_line(name, sound, tmp_path):
    root = tmp_path / "data"
    shutil.copytree(sound(name)[0], root)
    path = root / ONE_BYTE[name]
    text = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([text[0].rstrip(b"\r\n") + b" caf\xe9 \x93so\x94\n", *text[1:]]))
    with pytest.raises(
        InputError, match=rf"{path.name}, line 1: not UTF-8 but .* Windows-1252: .*caf\u00e9.*`CSV UTF-8`"
    ):
        READERS[name].read(root)


def meld(root: Path, change: Callable[[str], str]) -> None:
    READERS["meld_text"].make(root)
    path = root / "meld/train_sent_emo.csv"
    path.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8")


def test_capitals_in_labels_and_headings_do_not_matter(tmp_path):
    meld(tmp_path / "a", lambda text: text)
    meld(tmp_path / "b", lambda text: text.replace("neutral,", " Neutral ,").replace("Utterance_ID", " utterance_id "))
    read = READERS["meld_text"].read
    assert_same_corpus(read(tmp_path / "b"), read(tmp_path / "a"))


def test_a_duplicate_utterance_is_named_with_both_lines(tmp_path):
    meld(tmp_path, lambda text: ended(text) + "again,joy,0,3\n")
    with pytest.raises(InputError, match=r"csv, line 9: utterance 3 of dialogue 0 stands twice, first in line 5"):
        READERS["meld_text"].read(tmp_path)


def test_line_numbers_are_those_of_the_file_after_a_quoted_line_break(tmp_path):
    def change(text: str) -> str:
        first, second, third, *rest = text.splitlines()
        long = third.replace('"', '"one\ntwo\n\nthree ', 1)
        return "\n".join([first, second, long, "", *rest]).replace("sadness,", "bored,")

    meld(tmp_path, change)
    path = tmp_path / "meld/train_sent_emo.csv"
    (line,) = [n for n, text in enumerate(path.read_text(encoding="utf-8").split("\n"), 1) if "bored" in text]
    assert line == 10
    with pytest.raises(InputError, match=rf"csv, line {line}: emotion 'bored'"):
        READERS["meld_text"].read(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1,5;2;3\n", "decimal points, not commas"),
        ("1,2,3,4\n", r"line 1: 4 columns, expected 3"),
        ("1,2,3\n3\n", r"line 2: 1 columns, expected 3"),
    ],
)
def test_what_cannot_be_meant_is_named(text, message, tmp_path):
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(InputError, match=message):
        mosi_tables._numbers(tmp_path / "t.csv", 3)


def test_a_missing_column_and_a_short_row_are_named(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("x;y\n1;2\n")
    with pytest.raises(InputError, match=r"t\.csv: no column x, z, only x;y"):
        text_files.records(path, ("x", "z"))
    path.write_text("x;z\n1;2\n3\n")
    with pytest.raises(InputError, match=r"t\.csv, line 3: no z: the row ends before"):
        text_files.records(path, ("x", "z"))


def test_mixed_encodings_are_no_text(tmp_path):
    (tmp_path / "t.txt").write_bytes("\u00e4\n".encode() + b"\xff\x81\n")
    with pytest.raises(InputError, match=r"t\.txt, line 2: not text in UTF-8: byte 0xff"):
        text_files.read_text(tmp_path / "t.txt")


def test_lists_drop_what_a_spreadsheet_puts_around_entries(tmp_path):
    (tmp_path / "l.txt").write_bytes('\ufeffone\r\n"two",,\r\n,,\r\n three ;\r\n\r\n'.encode())
    assert text_files.listed(tmp_path / "l.txt") == ["one", "two", "three"]
    assert np.array_equal(text_files.lines(tmp_path / "l.txt")[0], "one")
