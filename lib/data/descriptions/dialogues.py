"""Corpora of dialogues, with one vector of each modality by utterance."""

from dataclasses import replace

from lib.data.description import Description
from lib.data.descriptions.utterances import USC, UTTERANCES
from lib.data.obtaining import iemocap_dialogues


def _dialogues(name: str, family: str, reader: str, features: str, licence: str, **more: object) -> Description:
    """Features by dialogue, in the files of SPCL or of MMGCN."""
    corpus, readers = family.upper(), "SPCL reads it" if features == "SPCL" else "MMGCN and MM-DFN read it"
    return Description(
        name=name,
        label=f"{corpus} ({features} features)",
        title=f"{corpus}, a text, audio and video vector per utterance, as {readers}",
        reader=f"lib.data.dialogues.{reader}:{corpus}.read",
        task="classes",
        form="dialogues",
        family=family,
        cluster="dialogue",
        licence=licence,
        **more,
    )


_SPOKEN = {d.name: d for d in UTTERANCES}
_MELD = "MELD: GPL-3.0; cite Poria et al. 2019 (MELD)"
DIALOGUES = (
    _dialogues(
        "iemocap_conversations",
        "iemocap",
        "spcl_pickles",
        "SPCL",
        USC,
        how=iemocap_dialogues(
            "spcl/iemocap/iemocap.pkl",
            "leson502/ADA2I, data/iemocap/iemocap.pkl",
            "b48edc13eb0531ca9e752de8d94015a81cf32e57",
        ),
    ),
    _dialogues(
        "iemocap_conversations_mmgcn",
        "iemocap",
        "mmgcn_pickles",
        "MMGCN",
        f"{USC}; repository zerohd4869/MM-DFN: MIT",
        how=iemocap_dialogues(
            "mmgcn/iemocap/IEMOCAP_features.pkl",
            "zerohd4869/MM-DFN, data/iemocap/IEMOCAP_features.pkl",
            "889532cad757903e78b3f87445306592eb8e2070",
        ),
    ),
    _dialogues("meld_conversations", "meld", "spcl_pickles", "SPCL", f"{_MELD}; none is stated for the features"),
    _dialogues(
        "meld_conversations_mmgcn",
        "meld",
        "mmgcn_pickles",
        "MMGCN",
        f"{_MELD}; repository zerohd4869/MM-DFN: MIT",
    ),
    replace(
        _SPOKEN["mosi_utterances"],
        name="mosi_conversations",
        label="CMU-MOSI (utterances), joined by video",
        title="CMU-MOSI, the utterances of a video as a dialogue (Zadeh et al. 2016)",
        reader="lib.data.dialogues.mosi_conversations:read",
        task="classes",
        form="dialogues",
        scale=None,
        files_of="mosi_utterances",
    ),
    replace(
        _SPOKEN["ravdess"],
        name="ravdess_dialogues",
        title="RAVDESS speech, clips by themselves or those of an actor as a dialogue (Livingstone & Russo 2018)",
        reader="lib.data.ravdess.ravdess_dialogues:read",
        form="dialogues",
        files_of="ravdess",
    ),
)
