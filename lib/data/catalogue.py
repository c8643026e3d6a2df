"""The corpora this workspace knows: which files, from where, and whether those on disk are sound.

Public files stand in `catalogue.csv`, each pinned by a commit of its repository and by the content itself
(git blob id; size and SHA-256 where a copy was measured). Paths are relative to the data root. Restricted
corpora have no address: they say what to obtain, from whom, and where to put it.
"""

import csv
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from urllib.parse import quote

from lib.data.io.impostors import LFS_POINTER, fault_of
from lib.data.io.source_files import STAND_IN_NOTE
from lib.errors import InputError
from lib.files import git_blob_sha1, sha256_file

TABLE = Path(__file__).with_suffix(".csv")
Watch = Callable[[str], None]


def _unwatched(path: str) -> None: ...


def is_lfs_pointer(copy: Path) -> bool:
    """Whether `copy` is the small text that git-lfs keeps in a repository in place of a large file."""
    with copy.open("rb") as handle:
        return handle.read(len(LFS_POINTER)) == LFS_POINTER


@dataclass(frozen=True)
class PublicFile:
    """One file of a public repository; `size` (bytes) and `sha256` are None where no copy was measured."""

    path: str
    repository: str
    commit: str
    repository_path: str
    git_blob_sha1: str
    size: int | None
    sha256: str | None
    licence: str

    def url(self, mirror: str) -> str:
        """Address of the pinned version below `mirror`, a server laid out like raw.githubusercontent.com."""
        return f"{mirror}/{self.repository}/{self.commit}/{quote(self.repository_path)}"

    def fault(self, copy: Path) -> str:
        """What is wrong with `copy`, in words; empty if its bytes are the pinned ones. Raises OSError."""
        if is_lfs_pointer(copy):
            return "is a git-lfs pointer, not the file itself"
        size = copy.stat().st_size
        if self.size is not None and size != self.size:
            fault = f"holds {size} bytes, expected {self.size}"
        elif (found := git_blob_sha1(copy)) != self.git_blob_sha1:
            fault = f"has git blob id {found}, expected {self.git_blob_sha1}"
        elif self.sha256 is not None and (found := sha256_file(copy)) != self.sha256:
            fault = f"has sha256 {found}, expected {self.sha256}"
        else:
            return ""
        impostor = fault_of(copy, expected=PurePath(self.path).suffix)  # a download lies under another name
        return f"{fault}; it is {impostor[0]}" if impostor else fault

    def part(self, root: Path) -> Path:
        """Where a download keeps what it has until the file is whole."""
        return root / f"{self.path}.part"


@dataclass(frozen=True)
class Survey:
    """What of one corpus is on disk: bytes by path (`sound`, `unfinished`) and faults by path (`damaged`).

    `stand_in` lists files that a note marks as synthetic; they are neither sound nor damaged.
    """

    sound: dict[str, int] = field(default_factory=dict)
    stand_in: list[str] = field(default_factory=list)
    damaged: dict[str, str] = field(default_factory=dict)
    unfinished: dict[str, int] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)

    @property
    def state(self) -> str:
        """`stand-in`, `damaged`, `present`, `missing` or `partial` (also while a download is unfinished)."""
        if self.stand_in:
            return "stand-in"
        if self.damaged:
            return "damaged"
        if not self.missing and not self.unfinished:
            return "present"
        return "partial" if self.sound or self.unfinished else "missing"


@dataclass(frozen=True)
class PublicCorpus:
    """A corpus that can be downloaded."""

    name: str
    title: str
    files: tuple[PublicFile, ...]

    def survey(self, root: Path, watch: Watch = _unwatched) -> Survey:
        """Compare every file below `root` with its pinned content; `watch` is told each path beforehand."""
        survey = Survey()
        for file in self.files:
            watch(file.path)
            copy = root / file.path
            if copy.exists() and _marked_as_stand_in(root, file.path):
                survey.stand_in.append(file.path)
            elif copy.exists():
                try:
                    fault = file.fault(copy)
                except OSError as error:
                    fault = f"cannot be read: {error.strerror}"
                if fault:
                    survey.damaged[file.path] = fault
                else:
                    survey.sound[file.path] = copy.stat().st_size
            elif file.part(root).exists():
                survey.unfinished[file.path] = file.part(root).stat().st_size
            else:
                survey.missing.append(file.path)
        return survey


@dataclass(frozen=True)
class RestrictedCorpus:
    """A corpus that its owner gives out on a signed agreement. Any one complete layout of files will do."""

    name: str
    title: str
    layouts: tuple[tuple[str, ...], ...]
    steps: str

    def survey(self, root: Path, watch: Watch = _unwatched) -> Survey:
        """Report the first layout of which anything is there.

        No content is pinned, so only what is plainly something else (see `impostors`) is `damaged`.
        """
        begun = (paths for paths in self.layouts if any((root / path).exists() for path in paths))
        survey = Survey()
        for path in next(begun, self.layouts[0]):
            watch(path)
            if (root / path).exists() and _marked_as_stand_in(root, path):
                survey.stand_in.append(path)
            elif not (root / path).exists():
                survey.missing.append(path)
            elif fault := _impostor(root / path):
                survey.damaged[path] = fault
            else:
                survey.sound[path] = (root / path).stat().st_size
        return survey

    def instructions(self, root: Path) -> str:
        """What to obtain, from whom, and where to put it; several lines."""
        return self.steps.format(root=root)


def _impostor(path: Path) -> str:
    """What lies in the place of a file whose content is not pinned, if it is plainly no such file."""
    if path.is_dir():
        return "is a folder, not a file"
    try:
        impostor = fault_of(path)
    except InputError as error:
        return error.what
    return f"is {'; '.join(impostor)}" if impostor else ""


def _marked_as_stand_in(root: Path, path: str) -> bool:
    return any((root / folder / STAND_IN_NOTE).exists() for folder in PurePath(path).parents)


KnownCorpus = PublicCorpus | RestrictedCorpus

_TITLES = {
    "mosi": "CMU-MOSI, words aligned to 20 steps of text 300, audio 5, video 20 (Zadeh et al. 2016)",
    "mosi_utterances": "CMU-MOSI, one text, audio and video vector per utterance (Zadeh et al. 2016)",
    "mosi_words": "CMU-MOSI, transcribed words, their times, and audio by utterance (Zadeh et al. 2016)",
    "mmmo": "MMMO product reviews, 20 steps of text 300, audio 74, video 36",
    "pom": "POM speaker traits, 20 steps of audio 43, video 41 (training text was never published)",
    "meld": "MELD dialogues, text, speakers and emotions",
    "meld_conversations": "MELD, a text, audio and video vector per utterance, as SPCL reads it",
    "meld_conversations_mmgcn": "MELD, a text, audio and video vector per utterance, as MMGCN and MM-DFN read it",
    "mfn_checkpoints": "the two trained MFN models of pliang279/MFN",
}

_IEMOCAP = RestrictedCorpus(
    name="iemocap",
    title="IEMOCAP, words aligned to steps of text 300, audio 80, video 310 (Busso et al. 2008)",
    layouts=(
        tuple(
            f"iemocap/non_combined/{name}"
            for name in (
                "df_iemocap.csv",
                "text_feat_10036.npy",
                "visual_feat_10036.npy",
                "audio_feat_10036.npy",
            )
        ),
        tuple(f"iemocap/{name}.npy" for name in ("X_train", "X_val", "X_test", "Y_train", "Y_val", "Y_test", "labels")),
    ),
    steps="""\
IEMOCAP is not public and cannot be downloaded here. To run on it:
1. Sign the release agreement of the University of Southern California (SAIL laboratory):
   https://sail.usc.edu/iemocap/iemocap_release.htm
2. Show it to the authors of the co-learning paper (github.com/nmagal/modality_drop_for_colearning) and ask
   for their word-aligned features; neither the features nor the code that extracted them are published.
3. Put either the label table and the three dictionaries
     {root}/iemocap/non_combined/df_iemocap.csv         columns wav_file (utterance id), emotion (3 letters)
     {root}/iemocap/non_combined/text_feat_10036.npy    utterance id -> (T, 300) array
     {root}/iemocap/non_combined/visual_feat_10036.npy  utterance id -> (T, 310) array
     {root}/iemocap/non_combined/audio_feat_10036.npy   utterance id -> (T, 80) array
   or the arrays that the authors' stacking script writes
     {root}/iemocap/X_train.npy, X_val.npy, X_test.npy  (N, T, 690): text, audio, video side by side
     {root}/iemocap/Y_train.npy, Y_val.npy, Y_test.npy  (N,): class numbers
     {root}/iemocap/labels.npy                          class names in the order of their numbers
4. See that they are found: ./run_all.sh data check""",
)


def _lmf_pickle(name: str, title: str) -> RestrictedCorpus:
    """One of the three files that the authors of LMF released; no public repository holds a copy."""
    return RestrictedCorpus(
        name=f"{name}_lmf",
        title=title,
        layouts=((f"lmf/{name}.pkl",),),
        steps=f"""\
{name}.pkl is not in any public repository and cannot be downloaded here. To run on it:
1. Follow the data link in the README of github.com/Justin1904/Low-rank-Multimodal-Fusion, or ask its authors.
   The corpus' own terms apply (IEMOCAP: the release agreement of the University of Southern California).
2. Put the file at {{root}}/lmf/{name}.pkl
3. See that it is found: ./run_all.sh data check""",
    )


_LMF_PICKLES = (
    _lmf_pickle("mosi", "CMU-MOSI as LMF was trained on it: 20 word vectors, mean audio and video"),
    _lmf_pickle("pom", "POM as LMF was trained on it: 20 sentence vectors, mean audio and video, 16 traits"),
    _lmf_pickle("iemocap", "IEMOCAP as LMF was trained on it: 20 word vectors, mean audio and video, 4 emotions"),
)


def _conversations(name: str, path: str, readers: str, address: str, blob: str) -> RestrictedCorpus:
    """IEMOCAP's features by dialogue: copies lie in public repositories, but only licence holders may use them."""
    return RestrictedCorpus(
        name=name,
        title=f"IEMOCAP, a text, audio and video vector per utterance, as {readers}",
        layouts=((path,),),
        steps=f"""\
IEMOCAP is not public, so nothing is downloaded here. To run on it:
1. Sign the release agreement of the University of Southern California (SAIL laboratory):
   https://sail.usc.edu/iemocap/iemocap_release.htm
2. Take the file from the repository github.com/{address}
   (git blob id {blob})
3. Put it at {{root}}/{path}
4. See that it is found: ./run_all.sh data check""",
    )


_IEMOCAP_CONVERSATIONS = (
    _conversations(
        "iemocap_conversations",
        "spcl/iemocap/iemocap.pkl",
        "SPCL reads it",
        "leson502/ADA2I, data/iemocap/iemocap.pkl",
        "b48edc13eb0531ca9e752de8d94015a81cf32e57",
    ),
    _conversations(
        "iemocap_conversations_mmgcn",
        "mmgcn/iemocap/IEMOCAP_features.pkl",
        "MMGCN and MM-DFN read it",
        "zerohd4869/MM-DFN, data/iemocap/IEMOCAP_features.pkl",
        "889532cad757903e78b3f87445306592eb8e2070",
    ),
)


def read_table(table: Path = TABLE) -> dict[str, PublicCorpus]:
    """Read the public corpora, by name; a file that two corpora need stands in the table once."""
    files: dict[str, list[PublicFile]] = {name: [] for name in _TITLES}
    with table.open(encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    for row in rows:
        corpora = row.pop("corpora").split()
        size = row.pop("bytes")
        file = PublicFile(**row | {"size": int(size) if size else None, "sha256": row["sha256"] or None})
        for name in corpora:
            files[name].append(file)
    return {name: PublicCorpus(name, _TITLES[name], tuple(files[name])) for name in files}


def _emotion_release(name: str, title: str, layout: tuple[str, ...], terms: str) -> RestrictedCorpus:
    """Features that the authors of the emotion embeddings shared by links that no longer work."""
    files = "\n".join(f"     {{root}}/{path}" for path in layout)
    return RestrictedCorpus(
        name=name,
        title=title,
        layouts=(layout,),
        steps=f"""\
The links of the release are dead and no public repository holds the files. To run on them:
1. Ask the authors of github.com/wenliangdai/Modality-Transferable-MER for their features. {terms}
2. Put them, and the emotions' word vectors (a pickle, or lines of `word v1 v2 ...` named by `emotion_vectors`), at
{files}
3. See that they are found: ./run_all.sh data check""",
    )


_EMOTION_VECTORS = "glove.emotions.840B.300d.pt"
_MOSEI_NAMES = ("text_{}_emb.h5", "audio_{}.h5", "video_{}.h5", "ey_{}.h5")
_NINE_NAMES = ("text_{}.p", "covarep_{}.p", "facet_{}.p", "y_{}.p")
_EMOTION_RELEASES = (
    _emotion_release(
        "mosei_emotions",
        "CMU-MOSEI emotions, 20 aligned steps of text 300, audio 74, video 35 (Zadeh et al. 2018)",
        (*(f"cmu-mosei/{n.format(s)}" for s in ("train", "valid", "test") for n in _MOSEI_NAMES), _EMOTION_VECTORS),
        "The terms of CMU-MOSEI apply.",
    ),
    _emotion_release(
        "iemocap_emotions",
        "IEMOCAP, four emotions, 20 aligned steps of text 300, audio 74, video 35 (Busso et al. 2008)",
        ("iemocap/iemocap_data.pkl", _EMOTION_VECTORS),
        "The release agreement of the University of Southern California applies.",
    ),
    _emotion_release(
        "iemocap_nine",
        "IEMOCAP, nine emotions, 21 aligned steps of text 300, audio 74, video 35 (Busso et al. 2008)",
        (*(f"iemocap/{n.format(s)}" for s in ("train", "valid", "test") for n in _NINE_NAMES), _EMOTION_VECTORS),
        "The release agreement of the University of Southern California applies.",
    ),
)


def _end_to_end(kind: str, title: str, features: tuple[str, ...], terms: str) -> tuple[RestrictedCorpus, ...]:
    """The raw layout and the hand-crafted features of the end-to-end paper, distributed by its authors."""
    folder = f"mme2e/{kind.upper()}"
    labels = f"{folder}_RAW_PROCESSED/meta.pkl"
    lists = tuple(f"{folder}_SPLIT/{split}_split.txt" for split in ("train", "valid", "test"))
    raw = RestrictedCorpus(
        name=f"{kind}_raw",
        title=f"{title}, images, waveforms and text by utterance, as the end-to-end paper reads it",
        layouts=((labels, *lists),),
        steps=f"""\
{terms}
1. Either ask for the processed release that github.com/wenliangdai/Multimodal-End2end-Sparse links to, and unpack
     {{root}}/{labels} and the folders beside it,
   or obtain the original corpus.
2. Take the lists of utterances from that repository: {{root}}/{folder}_SPLIT/{{{{train,valid,test}}}}_split.txt
3. ./run_all.sh data preprocess {kind} --raw {{root}}/mme2e    (or the folder of the original corpus)""",
    )
    handcrafted = RestrictedCorpus(
        name=f"{kind}_handcrafted",
        title=f"{title}, hand-crafted features, as the end-to-end paper's baselines read them",
        layouts=((labels, *lists, *(f"{folder}_HCF_FEATURES/{name}" for name in features)),),
        steps=f"""\
{terms}
1. Ask for the processed release that github.com/wenliangdai/Multimodal-End2end-Sparse links to; its hand-crafted part
   goes to {{root}}/{folder}_HCF_FEATURES, its labels to {{root}}/{labels}
2. Take the lists of utterances from that repository: {{root}}/{folder}_SPLIT/{{{{train,valid,test}}}}_split.txt
3. See that they are found: ./run_all.sh data check""",
    )
    return raw, handcrafted


_PHASES = ("train", "valid", "test")
_END_TO_END = (
    *_end_to_end(
        "iemocap",
        "IEMOCAP, six emotions (Busso et al. 2008)",
        tuple(f"{phase}_{modality}_features.pt" for phase in _PHASES for modality in ("text", "audio", "video")),
        "IEMOCAP is not public: sign the agreement of the University of Southern California (SAIL laboratory) first,\n"
        "https://sail.usc.edu/iemocap/iemocap_release.htm",
    ),
    *_end_to_end(
        "mosei",
        "CMU-MOSEI, six emotions (Zadeh et al. 2018)",
        tuple(f"mosei_senti_hcf_{phase}.pkl" for phase in _PHASES),
        "CMU-MOSEI's videos are given out by their collectors under their own terms.",
    ),
)

_RESTRICTED = (_IEMOCAP, *_LMF_PICKLES, *_IEMOCAP_CONVERSATIONS, *_EMOTION_RELEASES, *_END_TO_END)
CATALOGUE: dict[str, KnownCorpus] = read_table() | {corpus.name: corpus for corpus in _RESTRICTED}
