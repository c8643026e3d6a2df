"""CSV tables with a heading; what is no text or no table is one clear line."""

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lib.errors import InputError


@contextmanager
def csv_rows(path: Path) -> Iterator[csv.DictReader]:
    """The rows of a UTF-8 table as dictionaries, and `line_num`. Raises InputError where it stops being readable."""
    with path.open(encoding="utf-8", newline="") as handle:
        table = csv.DictReader(handle)
        try:
            yield table
        except (csv.Error, UnicodeDecodeError) as error:
            raise InputError(f"unreadable after line {table.line_num} ({error})", where=path) from None
