"""What the names of RAVDESS' clips say, which files hold them, and the folds of actors.

A clip is `modality-channel-emotion-intensity-statement-repetition-actor`, two digits each: its sound is `03-01-...`,
its video with sound `01-01-...` (Livingstone & Russo 2018). Odd actors are men, even actors women.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from lib.errors import InputError

EMOTIONS = ("neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised")
"""In the order of their numbers, from 01."""
ACTORS = 24
FOLDS = 8
"""Of three actors each, one or two of them men: with the next fold for validation both sexes are equally often in
training, and so among validation and test actors together."""
FRAME_FOLDS = 5
"""Of one actor each: of these actors the action units are known by frame (`ravdess_frames`)."""
SENTENCES = ("Kids are talking by the door", "Dogs are sitting by the door")
"""In the order of the numbers of their statements, from 01."""
SOUND = "audio_speech_actors_01-24"
STORED_TWICE = ("03-01-03-01-02-01-07", "03-01-03-01-02-02-07")
"""One recording under two names in the release, in whatever format either is."""
_NAME = re.compile(r"03-01-(0[1-8])-(0[12])-(0[12])-(0[12])-(0[1-9]|1[0-9]|2[0-4])")


@dataclass(frozen=True, order=True)
class Clip:
    """`emotion` counts from 0, `actor` from 1; `id` is that of its sound."""

    id: str
    emotion: int
    actor: int

    @property
    def of_face(self) -> str:
        """The name of the same clip's video with sound."""
        return f"01-01-{self.id[6:]}"

    @property
    def sentence(self) -> str:
        """What is said."""
        return SENTENCES[int(self.id[12:14]) - 1]

    @classmethod
    def named(cls, name: str, where: object) -> "Clip":
        """Raises InputError for what is not the name of the sound of a spoken clip; neutral has one intensity."""
        found = _NAME.fullmatch(name)
        if not found or (found[1], found[2]) == ("01", "02"):
            what = f"{name} is no clip 03-01-emotion-intensity-statement-repetition-actor of two digits each"
            raise InputError(what, where=where)
        return cls(name, int(found[1]) - 1, int(found[5]))


def release() -> Iterator[Clip]:
    """All 1,440 clips of the release, in the order of their actors."""
    for actor, emotion, intensity, statement, repetition in product(range(1, ACTORS + 1), range(1, 9), *[(1, 2)] * 3):
        if emotion > 1 or intensity == 1:
            name = "-".join(f"{number:02}" for number in (3, 1, emotion, intensity, statement, repetition, actor))
            yield Clip(name, emotion - 1, actor)


def sound_of(clip: Clip, folder: Path, ending: str = "wav") -> Path:
    """Where the release, unpacked, holds the clip's sound."""
    return folder / SOUND / f"Actor_{clip.actor:02}" / f"{clip.id}.{ending}"


def unfinished(folder: Path, pattern: str) -> list[Path]:
    """The files of a pattern that are not there, only their unfinished downloads or archives: to be missed, not left
    out."""
    found = (path.with_suffix("") for path in folder.glob(f"{pattern}.*"))
    return sorted(path for path in found if not path.is_file())


def sounds(folder: Path) -> list[Path]:
    """The sound of each clip below `folder`, as `.wav` or, without one, as `.flac`; where none is, the release's."""
    found = {}
    for ending in ("flac", "wav"):
        found |= {path.stem: path for path in folder.glob(f"{SOUND}/Actor_*/03-01-*.{ending}")}
    begun = [path for ending in ("flac", "wav") for path in unfinished(folder / SOUND, f"Actor_*/03-01-*.{ending}")]
    found = {path.stem: path for path in begun} | found
    return sorted(found.values()) or [sound_of(clip, folder) for clip in release()]


def clips(paths: list[Path]) -> list[Clip]:
    """The clip of each file. Raises InputError for a name that is none's, and a clip in another actor's folder."""
    found = []
    for path in paths:
        clip = Clip.named(path.stem, path)
        if path.parent.name != f"Actor_{clip.actor:02}":
            raise InputError(f"a clip of actor {clip.actor} in the folder {path.parent.name}", where=path)
        found.append(clip)
    return found


def folds(fold: int) -> dict[str, tuple[int, ...]]:
    """The actors of each split: those of `fold` are tested, those of the next one validated.

    Raises InputError for a fold that is not 0 to 7.
    """
    if isinstance(fold, bool) or not isinstance(fold, int) or not 0 <= fold < FOLDS:
        raise InputError(f"unknown fold {fold!r}", todo=f"known: 0 to {FOLDS - 1}")
    per_fold = ACTORS // FOLDS
    groups = [tuple(range(1 + per_fold * k, 1 + per_fold * (k + 1))) for k in range(FOLDS)]
    following = (fold + 1) % FOLDS
    train = tuple(actor for k, group in enumerate(groups) if k not in (fold, following) for actor in group)
    return {"train": train, "valid": groups[following], "test": groups[fold]}


def without_copies(every: Sequence[Clip], hashes: Sequence[str]) -> tuple[list[int], list[str]]:
    """Rows of clips whose file is no copy of an earlier one's, nor the second of `STORED_TWICE`, and what is said of
    the others.

    Raises InputError for one recording under two labels.
    """
    first: dict[str, Clip] = {}
    kept, notes = [], []
    for row, (clip, content) in enumerate(zip(every, hashes, strict=True)):
        other = first.setdefault(content, clip)
        if other == clip:
            kept.append(row)
        elif (other.emotion, other.actor) == (clip.emotion, clip.actor):
            notes.append(f"clip {clip.id} is the same file as {other.id} and is left out")
        else:
            what = f"clips {other.id} and {clip.id} are one recording under two labels"
            raise InputError(what, where=f"RAVDESS, actor {clip.actor}", todo="get both again")
    ids = [every[row].id for row in kept]
    if set(STORED_TWICE) <= set(ids):
        del kept[ids.index(STORED_TWICE[1])]
        notes.append(f"clip {STORED_TWICE[1]} is the same recording as {STORED_TWICE[0]} and is left out")
    return kept, notes


def lacking(every: Sequence[Clip], actors: Mapping[str, Sequence[int]]) -> list[str]:
    """What is said where not all clips of the release are there, of the actors in these splits."""
    wanted = {actor for group in actors.values() for actor in group}
    expected = {clip.id for clip in release() if clip.actor in wanted}
    gone = sorted(expected - {clip.id for clip in every})
    return [f"{len(gone)} of {len(expected):,} clips of the release are not there, such as {gone[0]}"] if gone else []


def by_actor(
    every: Sequence[Clip], kept: Sequence[int], actors: Mapping[str, Sequence[int]], folder: Path
) -> dict[str, list[int]]:
    """The rows of `kept` that each split's actors have. Raises InputError for a split without clips."""
    rows = {name: [row for row in kept if every[row].actor in chosen] for name, chosen in actors.items()}
    if short := next((name for name, found in rows.items() if not found), None):
        told = ", ".join(map(str, actors[short]))
        raise InputError(f"no clip of actors {told}", where=folder, todo="get their folders")
    return rows


def split_rule(turn: str, actors: Mapping[str, Sequence[int]]) -> str:
    """Of a split by actor: whose turn it is, who is tested and who validated."""
    tested, validated = (", ".join(map(str, actors[name])) for name in ("test", "valid"))
    return f"{turn} by actor: {tested} tested, {validated} validated"
