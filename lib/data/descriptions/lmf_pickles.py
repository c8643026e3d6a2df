"""The three corpora as the authors of low-rank fusion released them."""

from lib.data.corpus import SENTIMENT
from lib.data.description import Description
from lib.data.descriptions.utterances import TRAITS
from lib.data.obtaining import lmf_pickle

_UNKNOWN_TERMS = "not stated in the file; the corpus has its own terms; cite {}"
LMF_PICKLES = (
    Description(
        name="mosi_lmf",
        label="CMU-MOSI (LMF release)",
        title="CMU-MOSI as LMF was trained on it: 20 word vectors, mean audio and video",
        reader="lib.data.arrays.lmf_pickles:MOSI.read",
        task="regression",
        form="averaged",
        family="mosi",
        cluster="video",
        licence=_UNKNOWN_TERMS.format("Zadeh et al. 2016 (CMU-MOSI)"),
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
        licence=_UNKNOWN_TERMS.format("Park et al. 2014 (POM)"),
        scale=TRAITS,
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
        licence=_UNKNOWN_TERMS.format("Busso et al. 2008 (IEMOCAP)"),
        warnings=("the release does not say which of its two label columns means present; the second is taken",),
        how=lmf_pickle("iemocap"),
    ),
)
