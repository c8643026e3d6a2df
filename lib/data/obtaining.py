"""How to obtain the corpora that may not be downloaded here: which files, from whom, and where to put them."""

from dataclasses import dataclass

_SPLITS = ("train", "valid", "test")
_USC = """\
Sign the release agreement of the University of Southern California (SAIL laboratory):
   https://sail.usc.edu/iemocap/iemocap_release.htm"""
_LAST = "See that they are found: ./run_all.sh data check"
_EMOTION_VECTORS = "glove.emotions.840B.300d.pt"


@dataclass(frozen=True)
class OnRequest:
    """`layouts` are the complete sets of files (relative to the data folder) of which any one will do.

    `steps` say what to do, in several lines; `{root}` in them is the data folder.
    """

    layouts: tuple[tuple[str, ...], ...]
    steps: str


ALIGNED_IEMOCAP = OnRequest(
    layouts=(
        (
            "iemocap/non_combined/df_iemocap.csv",
            *(f"iemocap/non_combined/{modality}_feat_10036.npy" for modality in ("text", "visual", "audio")),
        ),
        tuple(f"iemocap/{name}.npy" for name in ("X_train", "X_val", "X_test", "Y_train", "Y_val", "Y_test", "labels")),
    ),
    steps=f"""\
IEMOCAP is not public and cannot be downloaded here. To run on it:
1. {_USC}
2. Show it to the authors of the co-learning paper (github.com/nmagal/modality_drop_for_colearning) and ask
   for their word-aligned features; neither the features nor the code that extracted them are published.
3. Put either the label table and the three dictionaries
     {{root}}/iemocap/non_combined/df_iemocap.csv         columns wav_file (utterance id), emotion (3 letters)
     {{root}}/iemocap/non_combined/text_feat_10036.npy    utterance id -> (T, 300) array
     {{root}}/iemocap/non_combined/visual_feat_10036.npy  utterance id -> (T, 310) array
     {{root}}/iemocap/non_combined/audio_feat_10036.npy   utterance id -> (T, 80) array
   or the arrays that the authors' stacking script writes
     {{root}}/iemocap/X_train.npy, X_val.npy, X_test.npy  (N, T, 690): text, audio, video side by side
     {{root}}/iemocap/Y_train.npy, Y_val.npy, Y_test.npy  (N,): class numbers
     {{root}}/iemocap/labels.npy                          class names in the order of their numbers
4. {_LAST}""",
)


def lmf_pickle(name: str) -> OnRequest:
    """One of the three files that the authors of LMF released; no public repository holds a copy."""
    steps = f"""\
{name}.pkl is not in any public repository and cannot be downloaded here. To run on it:
1. Follow the data link in the README of github.com/Justin1904/Low-rank-Multimodal-Fusion, or ask its authors.
   The corpus' own terms apply (IEMOCAP: the release agreement of the University of Southern California).
2. Put the file at {{root}}/lmf/{name}.pkl
3. See that it is found: ./run_all.sh data check"""
    return OnRequest(((f"lmf/{name}.pkl",),), steps)


def iemocap_dialogues(path: str, address: str, blob: str) -> OnRequest:
    """IEMOCAP's features by dialogue: copies lie in public repositories, but only licence holders may use them."""
    steps = f"""\
IEMOCAP is not public, so nothing is downloaded here. To run on it:
1. {_USC}
2. Take the file from the repository github.com/{address}
   (git blob id {blob})
3. Put it at {{root}}/{path}
4. See that it is found: ./run_all.sh data check"""
    return OnRequest(((path,),), steps)


def emotion_release(*paths: str, terms: str, by_split: bool = True) -> OnRequest:
    """Features that the authors of the emotion embeddings shared by links that no longer work."""
    files = [path.format(split) for split in _SPLITS for path in paths] if by_split else [*paths]
    layout = (*files, _EMOTION_VECTORS)
    places = "\n".join(f"     {{root}}/{path}" for path in layout)
    steps = f"""\
The links of the release are dead and no public repository holds the files. To run on them:
1. Ask the authors of github.com/wenliangdai/Modality-Transferable-MER for their features. {terms}
2. Put them, and the emotions' word vectors (a pickle, or lines of `word v1 v2 ...` named by `emotion_vectors`), at
{places}
3. {_LAST}"""
    return OnRequest((layout,), steps)


_END_TO_END_TERMS = {
    "iemocap": "IEMOCAP is not public: sign the agreement of the University of Southern California (SAIL laboratory) "
    "first,\nhttps://sail.usc.edu/iemocap/iemocap_release.htm",
    "mosei": "CMU-MOSEI's videos are given out by their collectors under their own terms.",
}
_LISTS = "{{root}}/{0}_SPLIT/{{{{train,valid,test}}}}_split.txt"


def _end_to_end(kind: str) -> tuple[str, tuple[str, ...], str]:
    """The folder's prefix, the label table with the lists of splits, and the step about these lists."""
    prefix = f"mme2e/{kind.upper()}"
    files = (f"{prefix}_RAW_PROCESSED/meta.pkl", *(f"{prefix}_SPLIT/{split}_split.txt" for split in _SPLITS))
    return prefix, files, f"2. Take the lists of utterances from that repository: {_LISTS.format(prefix)}"


def recordings(kind: str) -> OnRequest:
    """The raw layout of the end-to-end paper, distributed by its authors, or the original corpus."""
    _, files, lists = _end_to_end(kind)
    steps = f"""\
{_END_TO_END_TERMS[kind]}
1. Either ask for the processed release that github.com/wenliangdai/Multimodal-End2end-Sparse links to, and unpack
     {{root}}/{files[0]} and the folders beside it,
   or obtain the original corpus.
{lists}
3. ./run_all.sh data preprocess {kind} --raw {{root}}/mme2e    (or the folder of the original corpus)"""
    return OnRequest((files,), steps)


def handcrafted(kind: str, *features: str) -> OnRequest:
    """The hand-crafted features of the end-to-end paper's baselines."""
    prefix, files, lists = _end_to_end(kind)
    steps = f"""\
{_END_TO_END_TERMS[kind]}
1. Ask for the processed release that github.com/wenliangdai/Multimodal-End2end-Sparse links to; its hand-crafted part
   goes to {{root}}/{prefix}_HCF_FEATURES, its labels to {{root}}/{files[0]}
{lists}
3. {_LAST}"""
    names = [name.format(split) for split in _SPLITS for name in features]
    return OnRequest(((*files, *(f"{prefix}_HCF_FEATURES/{name}" for name in names)),), steps)
