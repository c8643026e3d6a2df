"""Corpora of single utterances, as words or as features that were published with a repository."""

from lib.data.corpus import SENTIMENT, Scale
from lib.data.description import Description
from lib.data.obtaining import ALIGNED_IEMOCAP
from lib.data.ravdess.clips import FOLDS, FRAME_FOLDS

_MFN = "MIT (repository pliang279/MFN); cite {}"
USC = "release agreement of the University of Southern California; cite Busso et al. 2008 (IEMOCAP)"
_MOSI = "MIT (repository declare-lab/multimodal-deep-learning); cite Zadeh et al. 2016 (CMU-MOSI)"
_REVIEWS = Scale((1.0, 5.0), neutral=3.5)  # the corpus' authors call more than 3.5 positive (spec colearning, 9.4)
TRAITS = Scale((1.0, 7.0), neutral=None, stored=(0.0, 7.0))
"""A label is the sum of a third of each rating, so a video with fewer than three raters has less than 1."""


def _mosei_text(name: str, question: str, asked: str, **more: object) -> Description:
    return Description(
        name=name,
        label=f"CMU-MOSEI (text, {question})",
        title=f"CMU-MOSEI, transcribed words and {asked}, on the end-to-end paper's or the standard folds",
        reader=f"lib.data.mosei.mosei_text:{question.upper()}.read",
        form="sequences",
        modalities=("text",),
        family="mosei",
        cluster="video",
        licence="none stated; split lists CC BY 4.0, table of checks Apache-2.0; cite Zadeh et al. 2018 (CMU-MOSEI)",
        measured=False,
        files_of="mosei_text",  # both questions are asked of the same files
        **more,
    )


UTTERANCES = (
    Description(
        name="iemocap",
        label="IEMOCAP",
        title="IEMOCAP, words aligned to steps of text 300, audio 80, video 310 (Busso et al. 2008)",
        reader="lib.data.iemocap.iemocap_stacked:read",
        task="classes",
        form="sequences",
        family="iemocap",
        cluster="dialogue",
        licence=USC,
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
        licence=_MFN.format("Zadeh et al. 2016 (CMU-MOSI)"),
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
        modalities=("text", "audio"),
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
        title="MMMO product reviews, 20 steps of text 300, audio 74, video 36 (Wöllmer et al. 2013)",
        reader="lib.data.arrays.mfn_h5:MMMO.read",
        task="regression",
        form="sequences",
        modalities=("audio", "video"),
        family="mmmo",
        cluster="video",
        licence=_MFN.format("Wöllmer et al. 2013 (ICT-MMMO)"),
        scale=_REVIEWS,
    ),
    Description(
        name="pom",
        label="POM",
        title="POM speaker traits, 20 steps of audio 43, video 41, no training text (Park et al. 2014)",
        reader="lib.data.arrays.mfn_h5:POM.read",
        task="regression",
        form="sequences",
        modalities=("audio", "video"),
        family="pom",
        cluster="video",
        licence=_MFN.format("Park et al. 2014 (POM)"),
        scale=TRAITS,
        warnings=("the trait names follow the LMF authors' list; the files do not name their columns",),
    ),
    Description(
        name="meld_text",
        label="MELD (text)",
        title="MELD dialogues, text, speakers and emotions",
        reader="lib.data.dialogues.meld_text:read",
        task="multilabel",
        form="sequences",
        modalities=("text",),
        family="meld",
        cluster="dialogue",
        licence="GPL-3.0 (repository declare-lab/MELD); cite Poria et al. 2019 (MELD)",
        measured=False,
        files_of="meld",
    ),
    _mosei_text("mosei_text", "emotions", "six emotions", task="multilabel"),
    _mosei_text("mosei_text_sentiment", "sentiment", "sentiment", task="regression", scale=SENTIMENT),
    Description(
        name="ravdess",
        label="RAVDESS",
        title="RAVDESS speech, eight acted emotions from sound and 35 action units (Livingstone & Russo 2018)",
        reader="lib.data.ravdess.ravdess:read",
        task="classes",
        form="sequences",
        modalities=("audio", "video"),
        family="ravdess",
        cluster="speaker",
        folds=FOLDS,
        licence="CC BY-NC-SA 4.0; cite Livingstone & Russo 2018 (RAVDESS); none stated for the action units",
        warnings=(
            "no text: the same two sentences are said with every emotion",
            "video: means over the clip of OpenFace's action units, computed by others",
        ),
    ),
    Description(
        name="ravdess_frames",
        label="RAVDESS (five actors, by frame)",
        title="RAVDESS speech of five actors, eight acted emotions from sound and action units by frame",
        reader="lib.data.ravdess.ravdess_frames:read",
        task="classes",
        form="sequences",
        modalities=("audio", "video"),
        family="ravdess",
        cluster="speaker",
        folds=FRAME_FOLDS,
        licence="CC BY-NC-SA 4.0; cite Livingstone & Russo 2018 (RAVDESS); none stated for the action units",
        warnings=(
            "no text: the same two sentences are said with every emotion",
            "video: OpenFace's action units of each frame, computed by others; one actor is tested, three are trained "
            "on",
        ),
    ),
)
