"""Every corpus this workspace knows, one description each; what else lists corpora is derived from these.

That is: loading (`lib.data`), the catalogue (`data check`, `data get`), what a YAML may name as its `dataset`, the
explorer's list, and the table in the README, which `python -m lib.data.catalogue` writes. A new corpus needs its
description here (and, if it is public, its pinned files in `catalogue.csv`), its reader, and a sample of it for the
tests (`tests/data/readers.py`).
"""

from collections.abc import Sequence
from dataclasses import replace

from lib.data.corpus import SENTIMENT, Scale, Task, Unit
from lib.data.description import Description, Form
from lib.data.obtaining import (
    ALIGNED_IEMOCAP,
    emotion_release,
    handcrafted,
    iemocap_dialogues,
    lmf_pickle,
    recordings,
)
from lib.errors import InputError

_UNKNOWN_TERMS = "not stated in the file; the corpus has its own terms"
_MFN = "MIT (repository pliang279/MFN); cite the authors of the corpus"
_MOSI = "MIT (repository declare-lab/multimodal-deep-learning); cite Zadeh et al. 2016 (CMU-MOSI)"
_USC = "release agreement of the University of Southern California; cite Busso et al. 2008"
_USC_TERMS = "The release agreement of the University of Southern California applies."
_FACET = "FACET video features may include the extractor's own emotion estimates"
_REVIEWS = Scale((1.0, 5.0), neutral=3.5)  # the corpus' authors call more than 3.5 positive (spec colearning, 9.4)
_TRAITS = Scale((1.0, 7.0), neutral=None, stored=(0.0, 7.0))
"""A label is the sum of a third of each rating, so a video with fewer than three raters has less than 1."""


def _mosei_text(name: str, question: str, asked: str, **more: object) -> Description:
    return Description(
        name=name,
        label=f"CMU-MOSEI (text, {question})",
        title=f"CMU-MOSEI, transcribed words and {asked}, on the end-to-end paper's or the standard folds",
        reader=f"lib.data.mosei.mosei_text:{question.upper()}.read",
        form="sequences",
        family="mosei",
        cluster="video",
        licence="none stated; split lists CC BY 4.0, table of checks Apache-2.0; cite Zadeh et al. 2018 (CMU-MOSEI)",
        measured=False,
        files_of="mosei_text",  # both questions are asked of the same files
        **more,
    )


_SEQUENCES = (
    Description(
        name="iemocap",
        label="IEMOCAP",
        title="IEMOCAP, words aligned to steps of text 300, audio 80, video 310 (Busso et al. 2008)",
        reader="lib.data.iemocap.iemocap_stacked:read",
        task="classes",
        form="sequences",
        family="iemocap",
        cluster="dialogue",
        licence="restricted: release agreement with the University of Southern California",
        how=ALIGNED_IEMOCAP,
    ),
    Description(
        name="mosi",
        label="CMU-MOSI (word level)",
        title="CMU-MOSI, words aligned to 20 steps of text 300, audio 5, video 20 (Zadeh et al. 2016)",
        reader="lib.data.arrays.mfn_h5:MOSI.read",
        task="regression",
        form="sequences",
        family="mosi",
        cluster="video",
        licence=_MFN,
        scale=SENTIMENT,
    ),
    Description(
        name="mosi_utterances",
        label="CMU-MOSI (utterances)",
        title="CMU-MOSI, one text, audio and video vector per utterance (Zadeh et al. 2016)",
        reader="lib.data.mosi.mosi_utterances:read",
        task="regression",
        form="sequences",
        family="mosi",
        cluster="video",
        licence=_MOSI,
        scale=SENTIMENT,
        warnings=(
            "the text and video features were learned with the labels of the training videos: only the test split "
            "may be reported, and never the standard CMU-MOSI folds, where 24 of the 31 test videos are training "
            "videos of this split",
            "the validation videos are cut from those training videos: validation scores are optimistic, and early "
            "stopping on them is weak",
        ),
    ),
    Description(
        name="mosi_words",
        label="CMU-MOSI (words)",
        title="CMU-MOSI, transcribed words, their times, and audio by utterance (Zadeh et al. 2016)",
        reader="lib.data.mosi.mosi_words:read",
        task="regression",
        form="averaged",
        family="mosi",
        cluster="video",
        licence=_MOSI,
        scale=SENTIMENT,
        warnings=(
            "no video, and text as words: the repository's text and video features were learned with labels of the "
            "standard test fold, so they are not used here",
            "the words are those of the transcripts; their times are not used",
        ),
    ),
    Description(
        name="mmmo",
        label="ICT-MMMO",
        title="MMMO product reviews, 20 steps of text 300, audio 74, video 36",
        reader="lib.data.arrays.mfn_h5:MMMO.read",
        task="regression",
        form="sequences",
        family="mmmo",
        cluster="video",
        licence=_MFN,
        scale=_REVIEWS,
    ),
    Description(
        name="pom",
        label="POM",
        title="POM speaker traits, 20 steps of audio 43, video 41 (training text was never published)",
        reader="lib.data.arrays.mfn_h5:POM.read",
        task="regression",
        form="sequences",
        family="pom",
        cluster="video",
        licence=_MFN,
        scale=_TRAITS,
        warnings=("the trait names follow the LMF authors' list; the files do not name their columns",),
    ),
    Description(
        name="meld_text",
        label="MELD (text)",
        title="MELD dialogues, text, speakers and emotions",
        reader="lib.data.dialogues.meld_text:read",
        task="multilabel",
        form="sequences",
        family="meld",
        cluster="dialogue",
        licence="GPL-3.0 (repository declare-lab/MELD); cite Poria et al. 2019",
        measured=False,
        files_of="meld",
    ),
    _mosei_text("mosei_text", "emotions", "six emotions", task="multilabel"),
    _mosei_text("mosei_text_sentiment", "sentiment", "sentiment", task="regression", scale=SENTIMENT),
)
_LMF_PICKLES = (
    Description(
        name="mosi_lmf",
        label="CMU-MOSI (LMF release)",
        title="CMU-MOSI as LMF was trained on it: 20 word vectors, mean audio and video",
        reader="lib.data.arrays.lmf_pickles:MOSI.read",
        task="regression",
        form="averaged",
        family="mosi",
        cluster="video",
        licence=_UNKNOWN_TERMS,
        scale=SENTIMENT,
        how=lmf_pickle("mosi"),
    ),
    Description(
        name="pom_lmf",
        label="POM (LMF release)",
        title="POM as LMF was trained on it: 20 sentence vectors, mean audio and video, 16 traits",
        reader="lib.data.arrays.lmf_pickles:POM.read",
        task="regression",
        form="averaged",
        family="pom",
        cluster="video",
        licence=_UNKNOWN_TERMS,
        scale=_TRAITS,
        warnings=("a label is the sum of a third of each rating: too small with fewer than three raters",),
        how=lmf_pickle("pom"),
    ),
    Description(
        name="iemocap_lmf",
        label="IEMOCAP (LMF release)",
        title="IEMOCAP as LMF was trained on it: 20 word vectors, mean audio and video, 4 emotions",
        reader="lib.data.arrays.lmf_pickles:IEMOCAP.read",
        task="classes",
        form="averaged",
        family="iemocap",
        cluster="dialogue",
        licence=_UNKNOWN_TERMS,
        warnings=("the release does not say which of its two label columns means present; the second is taken",),
        how=lmf_pickle("iemocap"),
    ),
)
_EMOTIONS = (
    Description(
        name="mosei_emotions",
        label="CMU-MOSEI (emotions)",
        title="CMU-MOSEI emotions, 20 aligned steps of text 300, audio 74, video 35 (Zadeh et al. 2018)",
        reader="lib.data.arrays.emotion_arrays:MOSEI.read",
        task="multilabel",
        form="sequences",
        family="mosei",
        cluster="video",
        licence="CMU-MultimodalSDK terms; cite Zadeh et al. 2018 (CMU-MOSEI)",
        warnings=(_FACET,),
        how=emotion_release(
            *(f"cmu-mosei/{name}" for name in ("text_{}_emb.h5", "audio_{}.h5", "video_{}.h5", "ey_{}.h5")),
            terms="The terms of CMU-MOSEI apply.",
        ),
    ),
    Description(
        name="iemocap_emotions",
        label="IEMOCAP (four emotions)",
        title="IEMOCAP, four emotions, 20 aligned steps of text 300, audio 74, video 35 (Busso et al. 2008)",
        reader="lib.data.arrays.emotion_arrays:IEMOCAP.read",
        task="multilabel",
        form="sequences",
        family="iemocap",
        cluster="dialogue",
        licence=_USC,
        warnings=(_FACET,),
        how=emotion_release("iemocap/iemocap_data.pkl", terms=_USC_TERMS, by_split=False),
    ),
    Description(
        name="iemocap_nine",
        label="IEMOCAP (nine emotions)",
        title="IEMOCAP, nine emotions, 21 aligned steps of text 300, audio 74, video 35 (Busso et al. 2008)",
        reader="lib.data.arrays.emotion_arrays:NINE.read",
        task="multilabel",
        form="sequences",
        family="iemocap",
        cluster="dialogue",
        licence=_USC,
        warnings=(_FACET,),
        how=emotion_release(
            *(f"iemocap/{name}" for name in ("text_{}.p", "covarep_{}.p", "facet_{}.p", "y_{}.p")), terms=_USC_TERMS
        ),
        beside="iemocap_emotions",
    ),
)


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


_USC_ONLY = "IEMOCAP: release agreement of the University of Southern California"
_DIALOGUES = (
    _dialogues(
        "iemocap_conversations",
        "iemocap",
        "spcl_pickles",
        "SPCL",
        _USC_ONLY,
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
        f"{_USC_ONLY}; repository zerohd4869/MM-DFN: MIT",
        how=iemocap_dialogues(
            "mmgcn/iemocap/IEMOCAP_features.pkl",
            "zerohd4869/MM-DFN, data/iemocap/IEMOCAP_features.pkl",
            "889532cad757903e78b3f87445306592eb8e2070",
        ),
    ),
    _dialogues("meld_conversations", "meld", "spcl_pickles", "SPCL", "MELD: GPL-3.0; none is stated for the features"),
    _dialogues(
        "meld_conversations_mmgcn",
        "meld",
        "mmgcn_pickles",
        "MMGCN",
        "MELD: GPL-3.0; repository zerohd4869/MM-DFN: MIT",
    ),
    replace(
        _SEQUENCES[2],
        name="mosi_conversations",
        label="CMU-MOSI (utterances), joined by video",
        title="CMU-MOSI, the utterances of a video as a dialogue (Zadeh et al. 2016)",
        reader="lib.data.dialogues.mosi_conversations:read",
        task="classes",
        form="dialogues",
        scale=None,
        files_of="mosi_utterances",
    ),
)


def _recordings(family: str, label: str, emotions: str, rule: Unit, features: Sequence[str]) -> tuple:
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
        licence="see the corpus",
        measured=False,
        how=recordings(family),
    )
    title = f"{emotions}, hand-crafted features, as the end-to-end paper's baselines read them"
    how, name = handcrafted(family, *features), f"{family}_handcrafted"
    return raw, replace(raw, name=name, title=title, reader=None, how=how, beside=raw.name)


_RECORDINGS = (
    *_recordings(
        "iemocap",
        "IEMOCAP",
        "IEMOCAP, six emotions (Busso et al. 2008)",
        "dialogue",
        [f"{{}}_{modality}_features.pt" for modality in ("text", "audio", "video")],
    ),
    *_recordings(
        "mosei", "CMU-MOSEI", "CMU-MOSEI, six emotions (Zadeh et al. 2018)", "video", ["mosei_senti_hcf_{}.pkl"]
    ),
)
_REAL = {d.name: d for d in (*_SEQUENCES, *_LMF_PICKLES, *_EMOTIONS, *_DIALOGUES, *_RECORDINGS)}


def _stand_in(like: str, label: str, reader: str, name: str = "") -> Description:
    """A synthetic corpus of the kind of another, in its files' format; its samples are independent of each other."""
    real = _REAL[like]
    return replace(
        real,
        name=name or f"{like}_like",
        label=label,
        title=f"synthetic, in the format of {like}",
        reader=f"lib.data.stand_ins.{reader}",
        cluster="dialogue" if real.form == "dialogues" else "utterance",
        licence="none needed: generated",
        warnings=("SYNTHETIC stand-in: its scores say nothing about the real corpus",),
        measured=False,
        how=None,
        stands_for=like,
    )


_STAND_INS = (
    _stand_in("iemocap", "IEMOCAP-like", "synthetic:load_iemocap_like"),
    _stand_in("mosi", "MOSI-like", "synthetic:load_mosi_like"),
    _stand_in("mosei_emotions", "MOSEI-emotions-like", "synthetic_emotions:load_mosei"),
    _stand_in("iemocap_emotions", "IEMOCAP-emotions-like", "synthetic_emotions:load_iemocap"),
    _stand_in("iemocap_conversations", "IEMOCAP-like conversations", "synthetic_conversations:load_iemocap"),
    _stand_in("meld_conversations", "MELD-like conversations", "synthetic_conversations:load_meld"),
    _stand_in("mosi_lmf", _REAL["mosi_lmf"].label, "synthetic_lmf:load_mosi"),
    _stand_in("pom_lmf", _REAL["pom_lmf"].label, "synthetic_lmf:load_pom"),
    _stand_in("iemocap_lmf", _REAL["iemocap_lmf"].label, "synthetic_lmf:load_iemocap"),
    _stand_in("iemocap_raw", "IEMOCAP-like raw", "synthetic_recordings:load_iemocap"),
    _stand_in("mosei_raw", "MOSEI-like raw", "synthetic_recordings:load_mosei"),
)
CORPORA: dict[str, Description] = {d.name: d for d in _STAND_INS} | _REAL
"""By name, stand-ins first."""


def get(name: str) -> Description:
    """Raises InputError for a name that no corpus to be read has."""
    if name not in CORPORA or CORPORA[name].reader is None:
        known = ", ".join(sorted(d.name for d in CORPORA.values() if d.reader))
        raise InputError(f"unknown corpus {name!r}", todo=f"known: {known}")
    return CORPORA[name]


def names(
    *, task: Task | None = None, form: Form | tuple[Form, ...] | None = None, family: str | None = None
) -> tuple[str, ...]:
    """The corpora with this task, form and family on which something can be run, stand-ins first.

    For the field `dataset` of a paper's parameters: `Literal[corpora.names(task="classes", form="sequences")]`.
    """
    forms = (form,) if isinstance(form, str) else form
    return tuple(
        d.name
        for d in CORPORA.values()
        if not d.beside and task in (None, d.task) and (forms is None or d.form in forms) and family in (None, d.family)
    )
