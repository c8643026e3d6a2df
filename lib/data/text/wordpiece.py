"""BERT's uncased WordPiece (Devlin et al. 2019): lower case, no accents, punctuation apart, longest pieces first."""

import unicodedata
from collections.abc import Mapping
from pathlib import Path

from lib.data.io.impostors import refuse
from lib.errors import InputError

LONGEST_WORD = 100
"""Characters; a longer word is unknown."""
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")


def vocabulary(path: Path) -> dict[str, int]:
    """Numbers by piece, one piece a line. Raises InputError for a missing file, a repeated or lacking piece."""
    refuse(path)
    try:
        pieces = path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    except UnicodeDecodeError as error:
        raise InputError("not a vocabulary in UTF-8", where=path) from error
    numbers = {piece: number for number, piece in enumerate(pieces)}
    if len(numbers) != len(pieces):
        raise InputError("a piece stands twice", where=path)
    if lacking := [piece for piece in SPECIAL if piece not in numbers]:
        raise InputError(f"no {', '.join(lacking)}: not a WordPiece vocabulary", where=path)
    return numbers


def words(text: str) -> list[str]:
    """Lower-case words and single punctuation marks."""
    cleaned = []
    for character in text:
        if character in "\0\ufffd" or (character not in "\t\n\r" and unicodedata.category(character).startswith("C")):
            continue
        spaced = character.isspace() or _is_ideograph(character)
        cleaned.append(f" {character} " if spaced else character)
    found = []
    for word in "".join(cleaned).lower().split():
        bare = "".join(c for c in unicodedata.normalize("NFD", word) if unicodedata.category(c) != "Mn")
        found += "".join(f" {c} " if _is_punctuation(c) else c for c in bare).split()
    return found


def pieces(word: str, numbers: Mapping[str, int]) -> list[int]:
    """The word's pieces: each time the longest that the vocabulary has; unknown as a whole if one is lacking."""
    if len(word) > LONGEST_WORD:
        return [numbers["[UNK]"]]
    found, start = [], 0
    while start < len(word):
        prefix = "##" if start else ""
        end = next((e for e in range(len(word), start, -1) if prefix + word[start:e] in numbers), None)
        if end is None:
            return [numbers["[UNK]"]]
        found.append(numbers[prefix + word[start:end]])
        start = end
    return found


def _is_punctuation(character: str) -> bool:
    """As BERT has it: every mark of ASCII counts, so `$` and `^` do, too."""
    visible_ascii = "!" <= character <= "~" and not character.isalnum()
    return visible_ascii or unicodedata.category(character).startswith("P")


def _is_ideograph(character: str) -> bool:
    return 0x4E00 <= (c := ord(character)) <= 0x9FFF or 0x3400 <= c <= 0x4DBF or 0xF900 <= c <= 0xFAFF or c >= 0x20000
