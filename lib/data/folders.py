"""Where corpora lie."""

import os
from pathlib import Path


def data_root(given: Path | str | None = None) -> Path:
    """`given`, else the variable `REPRISE_DATA`, else `data/` in the workspace."""
    return Path(given or os.environ.get("REPRISE_DATA") or Path(__file__).resolve().parents[2] / "data")
