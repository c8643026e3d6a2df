"""Corpora of several emotions at once, as the authors of the emotion embeddings had them."""

from lib.data.description import Description
from lib.data.descriptions.utterances import USC
from lib.data.obtaining import emotion_release

SDK = "CMU-MultimodalSDK terms; cite Zadeh et al. 2018 (CMU-MOSEI)"
_USC_TERMS = "The release agreement of the University of Southern California applies."
_FACET = "FACET video features may include the extractor's own emotion estimates"
EMOTIONS = (
    Description(
        name="mosei_emotions",
        label="CMU-MOSEI (emotions)",
        title="CMU-MOSEI emotions, 20 aligned steps of text 300, audio 74, video 35 (Zadeh et al. 2018)",
        reader="lib.data.arrays.emotion_arrays:MOSEI.read",
        task="multilabel",
        form="sequences",
        family="mosei",
        cluster="video",
        licence=SDK,
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
        licence=USC,
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
        licence=USC,
        warnings=(_FACET,),
        how=emotion_release(
            *(f"iemocap/{name}" for name in ("text_{}.p", "covarep_{}.p", "facet_{}.p", "y_{}.p")), terms=_USC_TERMS
        ),
        beside="iemocap_emotions",
    ),
)
