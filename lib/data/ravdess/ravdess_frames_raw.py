"""RAVDESS speech of the actors of `ravdess_frames` as the end-to-end paper reads recordings: see `ravdess_raw`."""

from pathlib import Path

from lib.data.ravdess import ravdess_frames, ravdess_raw
from lib.data.ravdess.ravdess_raw import Scale
from lib.data.recordings.mel import FRAME_MS
from lib.data.recordings.streamed_corpus import StreamedCorpus


def files(root: Path) -> list[Path]:
    """The sound of every clip of these actors, below `ravdess/`."""
    return ravdess_frames.heard(Path(root) / "ravdess")


def read(
    root: Path, *, fold: int = 0, step_ms: float = FRAME_MS, scale: Scale = "power", quiet_db: float = 0.0
) -> StreamedCorpus:
    """As `ravdess_raw.read`; `fold` 0 to 4 chooses the actor that is tested, as in `ravdess_frames.read`."""
    actors = ravdess_frames.folds(fold)
    return ravdess_raw.of_sounds(
        "ravdess_frames_raw",
        root,
        files(root),
        actors,
        ravdess_frames.rule(fold),
        step_ms=step_ms,
        scale=scale,
        quiet_db=quiet_db,
    )
