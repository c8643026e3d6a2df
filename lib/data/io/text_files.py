"""Text and tables from outside, as people save them: byte-order marks, spreadsheets' separators, empty rows.

One place recognises encoding and separator of every text that a reader takes. What cannot be told for sure, such as
which of the one-byte encodings it is, is named in one line and not guessed.
"""

import codecs
import csv
import io
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from lib.errors import InputError

SEPARATORS = (",", ";", "\t", "|")
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # begins like the next one
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_ASCII = rb"[\t\n\r\x20-\x7e]"
_UNMARKED = ((rb"(?:%b\0){8}" % _ASCII, "utf-16-le"), (rb"(?:\0%b){8}" % _ASCII, "utf-16-be"))
_SAVE = "save it again as UTF-8 (in a spreadsheet: `CSV UTF-8`)"


def read_text(path: Path, *, errors: str = "strict") -> str:
    """The text of a file without its byte-order mark: UTF-8, or what the mark says (UTF-16, UTF-32).

    UTF-16 without a mark is recognised by the zero bytes of its first characters. Raises InputError for anything
    else, naming the line, and for a missing or unreadable file; `errors="replace"` replaces undecodable bytes.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise InputError("missing", where=path) from None
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror or error}", where=path) from None
    mark, encoding = next((found for found in _MARKS if content.startswith(found[0])), (b"", ""))
    if not encoding:
        encoding = next((name for pattern, name in _UNMARKED if re.match(pattern, content)), "utf-8")
    content = content[len(mark) :]
    try:
        return content.decode(encoding, errors)
    except UnicodeDecodeError as error:
        line, byte = content.count(b"\n", 0, error.start) + 1, content[error.start]
        what = f"not text in {encoding.upper()}: byte 0x{byte:02x}"
        if encoding == "utf-8" and (shown := _in_windows(content, error.start)):
            what = f"not UTF-8 but a one-byte encoding, as Windows-1252: {shown!r}"
        raise InputError(what, where=f"{path}, line {line}", todo=_SAVE) from None


def _in_windows(content: bytes, place: int) -> str:
    """The word around a byte as Windows-1252 has it; empty if that cannot be the file's encoding."""
    if b"\0" in content:
        return ""
    try:
        content.decode("cp1252")
    except UnicodeDecodeError:
        return ""
    words = content[max(0, place - 12) : place + 12].decode("cp1252").split()
    return " ".join(words)


def lines(path: Path, *, errors: str = "strict") -> list[str]:
    """The lines of a text without their ends; a lone carriage return ends a line as well."""
    return re.split(r"\r\n|\r|\n", read_text(path, errors=errors))


def listed(path: Path) -> list[str]:
    """The entries of a list, one a line; blanks and a spreadsheet's separators around them, and empty lines, go."""
    return [entry for line in lines(path) if (entry := line.strip(' \t,;"'))]


def rows(path: Path, columns: int) -> Iterator[tuple[int, list[str]]]:
    """Line number and cells of each row of a table without a heading; rows without content are passed over.

    The separator is the one that gives the first row its `columns`. Empty cells behind the last column go. Raises
    InputError for a row of another width, naming its line.
    """
    text = read_text(path)
    separator = _separator(text, lambda first: len(_trimmed(first, columns)) == columns)
    for line, row in _rows(text, separator, path):
        cells = _trimmed(row, columns)
        if len(cells) != columns:
            raise InputError(f"{len(cells)} columns, expected {columns}", where=f"{path}, line {line}")
        yield line, cells


def records(path: Path, needed: Sequence[str], *, errors: str = "strict") -> list[tuple[int, dict[str, str]]]:
    """Line number and cells by heading of each row, with those in `needed`, in the spelling given here.

    The separator is the one that gives the first row the needed columns; capitals and blanks in the heading do not
    matter. Rows without content are passed over. Raises InputError for a column that is missing, in the heading or in
    a row, or stands twice.
    """
    text = read_text(path, errors=errors)
    wanted = {name.casefold(): name for name in needed}
    separator = _separator(text, lambda first: wanted.keys() <= {cell.strip().casefold() for cell in first})
    table = _rows(text, separator, path)
    _, first = next(table, (0, []))
    names = [wanted.get(cell.strip().casefold(), cell.strip()) for cell in first]
    if absent := [name for name in needed if name not in names]:
        found = ", ".join(names[:20]) or "nothing"
        raise InputError(f"no column {', '.join(absent)}, only {found}", where=path)
    if twice := [name for name in needed if names.count(name) > 1]:
        raise InputError(f"column {twice[0]} stands twice", where=path)
    found = []
    for line, row in table:
        cells = dict(zip(names, row, strict=False))
        if absent := [name for name in needed if name not in cells]:
            raise InputError(f"no {', '.join(absent)}: the row ends before", where=f"{path}, line {line}")
        found.append((line, cells))
    return found


def heading(path: Path, needed: Sequence[str]) -> bool:
    """Whether the file is a table with these columns."""
    try:
        text = read_text(path, errors="replace")
        wanted = {name.casefold() for name in needed}
        for separator in SEPARATORS:
            _, first = next(_rows(text, separator, path), (0, []))
            if wanted <= {cell.strip().casefold() for cell in first}:
                return True
    except InputError:
        pass
    return False


def _separator(text: str, fits) -> str:
    """The first that makes the first row fit, else a comma."""
    for separator in SEPARATORS:
        try:
            _, first = next(_rows(text, separator, None), (0, []))
        except InputError:
            continue
        if fits(first):
            return separator
    return ","


def _rows(text: str, separator: str, path: Path | None) -> Iterator[tuple[int, list[str]]]:
    """Rows with content and the line each begins in; `sep=` in the first line, which spreadsheets write, is none."""
    table = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    line = 1
    try:
        for row in table:
            if any(cell.strip() for cell in row) and not (line == 1 and row[0].startswith("sep=")):
                yield line, row
            line = table.line_num + 1
    except csv.Error as error:
        raise InputError(f"unreadable after line {table.line_num} ({error})", where=path) from None


def _trimmed(row: list[str], columns: int) -> list[str]:
    return row[:columns] if not any(cell.strip() for cell in row[columns:]) else row
