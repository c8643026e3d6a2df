"""Which records of a result folder its runs still ask for: what settings that are gone have left can be removed.

A run notes every record that it reads, under the name of its files without their endings, with the time. What the last
whole run has not asked for belongs to settings, data or code that no longer exist.
"""

import json
import re
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from lib.files import write_json

NOTE = "wanted.json"
_OF_A_RECORD = re.compile(r"([^.].*-[0-9a-f]{12})\.(weights\.safetensors|safetensors|checkpoint|npy)")


def note(folder: Path, names: Iterable[str]) -> None:
    """Remember in a folder of records that these were asked for now."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    write_json(Path(folder) / NOTE, _noted(folder) | dict.fromkeys(names, now))


def leftovers(folder: Path, since: datetime) -> dict[str, list[Path]]:
    """The files of each record that is older than a time (UTC) and that nobody has asked for since; nothing else.

    A younger one may belong to a chunk of a run that is still to come.
    """
    found: dict[str, list[Path]] = {}
    for path in sorted(Path(folder).glob("*")):
        if (match := _OF_A_RECORD.fullmatch(path.name)) and path.is_file():
            found.setdefault(match[1], []).append(path)
    noted, start = _noted(folder), since.timestamp()
    return {
        name: paths
        for name, paths in found.items()
        if noted.get(name, "") < since.isoformat(timespec="seconds")
        and max(path.stat().st_mtime for path in paths) < start
    }


def forget(folder: Path, found: dict[str, list[Path]]) -> None:
    """Remove these files and what is noted of them."""
    for path in (path for paths in found.values() for path in paths):
        path.unlink(missing_ok=True)
    write_json(Path(folder) / NOTE, {name: when for name, when in _noted(folder).items() if name not in found})


def _noted(folder: Path) -> dict[str, str]:
    with suppress(OSError, ValueError):
        noted = json.loads((Path(folder) / NOTE).read_text(encoding="utf-8"))
        if isinstance(noted, dict) and all(isinstance(when, str) for when in noted.values()):
            return noted
    return {}
