"""The sound of a Flash video (`.flv`) as the MP3 stream that it is: OpenCV decodes the pictures of such a file alone.

The container is a header and a row of tags, each with its kind, its length and a time (Adobe, Flash video file format,
version 10, annex E). The content of the sound's tags, one after another, is an ordinary MP3 file.
"""

from pathlib import Path

from lib.data.io.impostors import CUT_SHORT, refuse
from lib.errors import InputError

_SOUND, _MP3 = 8, (2, 14)
_TAG, _BEFORE = 11, 4
"""Bytes of a tag's header, and of the length of the tag before that stands in front of it."""


def mp3_of(path: Path) -> bytes:
    """The MP3 stream of a Flash video; of the file no more than the sound is in memory.

    Raises InputError for a file that is none, is cut short, holds no sound or such of another kind.
    """
    refuse(path)
    parts = []
    with path.open("rb") as handle:
        header = handle.read(9)
        if header[:3] != b"FLV":
            raise InputError("not a Flash video", where=path)
        size = path.stat().st_size
        place = int.from_bytes(header[5:9], "big") + _BEFORE
        while place + _TAG <= size:
            handle.seek(place)
            tag = handle.read(_TAG)
            place += _TAG + int.from_bytes(tag[1:4], "big")
            if place > size:
                raise InputError("a Flash video that ends too early", where=path, todo=CUT_SHORT)
            if tag[0] == _SOUND and tag[1:4] != bytes(3):
                kind, *data = handle.read(place - handle.tell())
                if kind >> 4 not in _MP3:
                    raise InputError(f"its sound is of kind {kind >> 4}, not MP3", where=path)
                parts.append(bytes(data))
            place += _BEFORE
    if not parts:
        raise InputError("a Flash video without sound", where=path)
    return b"".join(parts)
