"""Corpora of media files, and features made of the same recordings."""

from collections.abc import Sequence
from dataclasses import replace

from lib.data.corpus import Unit
from lib.data.description import Description
from lib.data.descriptions.emotions import SDK
from lib.data.descriptions.utterances import USC
from lib.data.obtaining import handcrafted, recordings
from lib.data.ravdess.clips import FOLDS, FRAME_FOLDS


def _recordings(family: str, label: str, emotions: str, rule: Unit, features: Sequence[str], licence: str) -> tuple:
    """The raw layout and the hand-crafted features of the end-to-end paper."""
    raw = Description(
        name=f"{family}_raw",
        label=f"{label} (raw, end-to-end layout)",
        title=f"{emotions}, images, waveforms and text by utterance, as the end-to-end paper reads it",
        reader=f"lib.data.recordings.streamed_corpus:{family.upper()}.read",
        task="multilabel",
        form="recordings",
        family=family,
        cluster=rule,
        licence=licence,
        measured=False,
        how=recordings(family),
    )
    title = f"{emotions}, hand-crafted features, as the end-to-end paper's baselines read them"
    how, name = handcrafted(family, *features), f"{family}_handcrafted"
    return raw, replace(raw, name=name, title=title, reader=None, how=how, beside=raw.name)


_RAVDESS = Description(
    name="ravdess_raw",
    label="RAVDESS (recordings of sound)",
    title="RAVDESS speech, eight acted emotions, spectrogram and sentence (Livingstone & Russo 2018)",
    reader="lib.data.ravdess.ravdess_raw:read",
    task="multilabel",
    form="recordings",
    modalities=("text", "audio"),
    family="ravdess",
    cluster="speaker",
    folds=FOLDS,
    licence="CC BY-NC-SA 4.0; cite Livingstone & Russo 2018 (RAVDESS)",
    measured=False,
    files_of="ravdess",
    warnings=("no images; the same two sentences are said with every emotion, so that text alone tells nothing",),
)
_FIVE_ACTORS = replace(
    _RAVDESS,
    name="ravdess_frames_raw",
    label="RAVDESS (recordings of sound, five actors)",
    title="RAVDESS speech of five actors, eight acted emotions, spectrogram and sentence",
    reader="lib.data.ravdess.ravdess_frames_raw:read",
    folds=FRAME_FOLDS,
    files_of="ravdess_frames",
    warnings=(*_RAVDESS.warnings, "one actor is tested, three are trained on"),
)
RECORDINGS = (
    Description(
        name="cremad_sample",
        label="CREMA-D (sample of recordings)",
        title="CREMA-D, a few clips of two actors to try `data preprocess cremad` on (Cao et al. 2014)",
        reader=None,
        task="multilabel",
        form="recordings",
        family="cremad",
        cluster="speaker",
        licence="ODbL 1.0, contents DbCL 1.0; cite Cao et al. 2014 (CREMA-D)",
        warnings=("with fewer than five actors the same people are in all parts: no score on it says anything",),
        measured=False,
    ),
    *_recordings(
        "iemocap",
        "IEMOCAP",
        "IEMOCAP, six emotions (Busso et al. 2008)",
        "dialogue",
        [f"{{}}_{modality}_features.pt" for modality in ("text", "audio", "video")],
        USC,
    ),
    *_recordings(
        "mosei", "CMU-MOSEI", "CMU-MOSEI, six emotions (Zadeh et al. 2018)", "video", ["mosei_senti_hcf_{}.pkl"], SDK
    ),
    _RAVDESS,
    _FIVE_ACTORS,
    replace(
        _FIVE_ACTORS,
        name="ravdess_frames_handcrafted",
        label="RAVDESS (five actors, by frame)",
        title="RAVDESS speech of five actors, words, sound and action units by frame, as hand-crafted features",
        reader="lib.data.ravdess.ravdess_frames_handcrafted:read",
        modalities=("text", "audio", "video"),
        licence=f"{_RAVDESS.licence}; none stated for the action units",
        warnings=(
            "the same two sentences are said with every emotion, so that text alone tells nothing",
            "video: OpenFace's action units of each frame, computed by others",
        ),
        measured=True,
        beside=_FIVE_ACTORS.name,
    ),
)
