"""Every reader of `lib/data`: how small sound files are made for it, how it reads them, and which of them to attack."""

import pickle
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

from lib import data
from lib.data.arrays import emotion_arrays, lmf_pickles, mfn_h5
from lib.data.corpus import Corpus
from lib.data.dialogues import mmgcn_pickles, spcl_pickles
from lib.data.iemocap import iemocap_handcrafted, iemocap_stacked
from lib.data.io import cache, vector_files
from lib.data.io.source_files import note_stand_in
from lib.data.mosi import mosi_utterances
from lib.data.own import corpus_folder, importing
from lib.data.pretrained import PretrainedPart
from lib.data.recordings import (
    albert_folder,
    iemocap_release,
    mosei_release,
    raw_batches,
    raw_decoding,
    raw_layout,
    raw_preprocessing,
)
from lib.data.recordings import cutting as recordings
from lib.data.recordings.mel import mel_spectrogram
from lib.data.recordings.sound import read_sound
from lib.data.recordings.streamed_corpus import open_handcrafted
from lib.data.stand_ins import synthetic_handcrafted, synthetic_raw
from lib.data.text import frozen, wordpiece
from lib.errors import InputError
from tests.data import parts, releases
from tests.data.arrays.test_emotion_corpora import nine_corpus
from tests.data.arrays.test_lmf_pickles import section
from tests.data.dialogues.test_conversation_pickles import stored
from tests.data.iemocap.test_iemocap import stacked_corpus, utterances
from tests.data.iemocap.test_iemocap_handcrafted import LEFT, RIGHT
from tests.data.mosei.test_mosei_text import write_mosei
from tests.data.mosi.test_mosi_words import spoken
from tests.data.own import brought as own
from tests.data.ravdess.test_ravdess import write_ravdess
from tests.data.ravdess.test_ravdess_frames import write_frames
from tests.data.samples import REAL, STAND_IN, mfn_corpus
from tests.papers.emotion_tasks import write_meld


@dataclass(frozen=True)
class Reader:
    """`make` writes sound files into an empty folder, `read` reads them, `files` are those to damage, one of each kind.

    `modules` are the modules of `lib.data` whose reading code this exercises. `heals`: damage is not always an error,
    because what was lost is made anew, or because what single utterances lack is told beside the others. `refusal` is
    what every refusal says where files are compared with a hash before they are parsed; then any change is refused.
    """

    make: Callable[[Path], object]
    read: Callable[[Path], object]
    files: tuple[str, ...]
    modules: tuple[str, ...]
    heals: bool = False
    refusal: str = ""


def corpus(name: str, make: Callable[[Path], object], files: tuple[str, ...], *modules: str, **options) -> Reader:
    return Reader(make, lambda root: data.load(name, root, **options), files, modules)


def h5(layout: mfn_h5.MfnFormat, modalities: tuple[str, ...]) -> Callable[[Path], None]:
    return lambda root: layout.write(root, mfn_corpus(layout, modalities))


def lmf(layout: lmf_pickles.LmfPickle, tree: Callable[[], dict]) -> Callable[[Path], None]:
    def make(root: Path) -> None:
        (path,) = layout.files(root)
        path.parent.mkdir(parents=True)
        path.write_bytes(pickle.dumps(tree(), protocol=2))

    return make


def conversations(layout) -> Callable[[Path], None]:
    return lambda root: layout.write(root, stored(layout.kind, train=12, test=2), REAL)


def write_mosi(root: Path) -> None:
    mosi_utterances.write(root, *spoken(), REAL)


def write_glove(root: Path) -> None:
    write_mosi(root)
    (root / "vectors.txt").write_text("good 1 2 3\nbad -1 -2 -3\n")


def write_vectors(root: Path) -> None:
    vector_files.write(root / "words.pt", {"happy": np.ones(3), "sad": np.zeros(3)})


def look_up(name: str) -> Callable[[Path], np.ndarray]:
    return lambda root: vector_files.look_up(root / name, ["happy", "sad"])


def read_part(root: Path) -> dict[str, np.ndarray]:
    """The part is pinned as `write_part` left it, so a damaged file is refused before anything parses it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(frozen, "PARTS", {"glove_6b_50d": PINNED["glove"]})
        return frozen.glove({"happy", "sad"}, root)


def write_part(root: Path) -> None:
    PINNED["glove"] = parts.write_glove(root, ["happy", "sad", "the"])


def write_handcrafted(root: Path) -> None:
    rng = np.random.default_rng(0)
    frames = {f"image_{side}_{i}": rng.normal(size=40) for side in "LR" for i in range(3)}
    audio = {side: rng.normal(size=(iemocap_handcrafted.AUDIO_WIDTH, 5)) for side in "LR"}
    tables = {"text": {LEFT: rng.normal(size=(4, 300)), RIGHT: []}}
    tables |= {"audio": {LEFT: audio, RIGHT: audio}, "video": {LEFT: frames, RIGHT: frames}}
    iemocap_handcrafted.write_phase(root, "train", tables)


def read_handcrafted(root: Path) -> object:
    """Problems of single utterances are told; here they are all there is."""
    found, problems = iemocap_handcrafted.read_phase(root, "train")
    if problems:
        raise InputError("; ".join(problems.values()))
    return found


def write_raw(kind: str) -> Callable[[Path], object]:
    return lambda root: synthetic_raw.write(kind, root, {"train": 2, "valid": 1, "test": 1})


def read_one_wave(root: Path) -> np.ndarray:
    return mel_spectrogram(*raw_decoding.read_wave(root / "a.wav"), "window", where="a.wav")


def write_media(root: Path) -> None:
    synthetic_raw.write("mosei", root / "raw", {"train": 1, "valid": 1, "test": 1})
    for suffix in ("wav", "jpg"):
        (root / f"a.{suffix}").write_bytes(sorted((root / "raw").rglob(f"*.{suffix}"))[0].read_bytes())


def write_prepared(root: Path) -> None:
    write_raw("mosei")(root / "raw")
    raw_preprocessing.preprocess("mosei", root / "raw", root / "out")
    (path,) = (root / "out/mosei/utterances").glob("stand-in0_0.npz")
    path.rename(path)


def read_prepared(root: Path) -> object:
    return raw_batches.open_batches(root / "out/mosei", "train").inputs


def prepare_again(root: Path) -> object:
    return raw_preprocessing.preprocess("mosei", root / "raw", root / "out")


def use_cache(root: Path) -> dict[str, np.ndarray]:
    return cache.cached("numbers", 1, {}, {}, lambda: {"a": np.arange(6.0), "b": np.arange(3)})


def fill_cache(root: Path) -> None:
    """The folder is `root`, see `test_hostile.py`."""
    use_cache(root)
    (entry,) = (root / "numbers").iterdir()
    (root / "entry").symlink_to(entry)


def write_note(root: Path) -> None:
    h5(mfn_h5.MMMO, ("audio", "video"))(root)
    with note_stand_in(root / mfn_h5.MMMO.folder, STAND_IN):
        pass


def write_stacked(root: Path) -> Corpus:
    iemocap_stacked.write(root, stacked_corpus())


def write_dictionaries(root: Path) -> None:
    iemocap_stacked.write_dictionaries(root, utterances(), REAL)


def write_end_to_end(kind: str) -> Callable[[Path], None]:
    """Raw files, what is prepared of them, and hand-crafted features; one utterance per split."""

    def make(root: Path) -> None:
        raw, out = root / "mme2e", root / "mme2e_prepared"
        synthetic_raw.write(kind, raw, {"train": 1, "valid": 1, "test": 1})
        raw_preprocessing.preprocess(kind, raw, out)
        if kind == "iemocap":
            synthetic_handcrafted.write(out / kind, raw)
        else:
            synthetic_handcrafted.write_mosei(out / kind, raw)

    return make


def open_features(kind: str) -> Callable[[Path], object]:
    return lambda root: open_handcrafted(root / "mme2e_prepared" / kind, root / "mme2e")


def cut_releases(root: Path) -> object:
    """What single utterances lack is told."""
    shutil.rmtree(root / "out", ignore_errors=True)
    dialogues, _, _ = iemocap_release.read(root, root / "out")
    return [recordings.cut(dialogue) for dialogue in dialogues]


def write_config(root: Path) -> None:
    (root / albert_folder.CONFIG).write_text('{"hidden_size": 8, "vocab_size": 30}')


PINNED: dict[str, PretrainedPart] = {}
RELEASE = {
    "mosei": ("Labels/one.csv", "Transcript/Segmented/Combined/second.txt"),
    "iemocap": ("Session1/dialog/EmoEvaluation/Ses01F_impro01.txt", "Session1/dialog/wav/Ses01F_impro01.wav"),
}


def brought(path: Path) -> Corpus:
    found = importing.recognised(path, "mine", None, "none")
    return corpus_folder.corpus_of(found.about, found.parts, path, "error", {})


READERS: dict[str, Reader] = {
    "mosi": corpus(
        "mosi",
        h5(mfn_h5.MOSI, ("text", "audio", "video")),
        ("mfn/data/X_train.h5", "mfn/data/y_test.h5"),
        "mfn_h5",
        "hdf5",
    ),
    "mmmo": corpus(
        "mmmo",
        h5(mfn_h5.MMMO, ("audio", "video")),
        ("mfn/new_data/mmmo/audio_valid.h5", "mfn/new_data/mmmo/y_train.h5"),
        "mfn_h5",
    ),
    "pom": corpus(
        "pom",
        h5(mfn_h5.POM, ("audio", "video")),
        ("mfn/new_data/pom/video_test.h5", "mfn/new_data/pom/y_valid.h5"),
        "mfn_h5",
    ),
    "iemocap": corpus(
        "iemocap",
        write_dictionaries,
        ("iemocap/non_combined/df_iemocap.csv", "iemocap/non_combined/audio_feat_10036.npy"),
        "iemocap_dictionaries",
        "text_files",
        "label_rules",
        "ordering",
    ),
    "iemocap, stacked": corpus(
        "iemocap",
        write_stacked,
        ("iemocap/X_val.npy", "iemocap/Y_test.npy", "iemocap/labels.npy"),
        "iemocap_stacked",
        "safe_pickle",
        "impostors",
    ),
    "mosi_utterances": corpus(
        "mosi_utterances",
        write_mosi,
        (
            "mosi_utterance/transcripts.csv",
            "mosi_utterance/text_train.csv",
            "mosi_utterance/audio/audio_test0.csv",
            "mfn/data/y_valid.h5",
        ),
        "mosi_utterances",
        "mosi_tables",
        "mosi_labels",
    ),
    "mosi_words": corpus(
        "mosi_words", write_glove, ("vectors.txt", "mosi_utterance/transcripts.csv"), "mosi_words", glove="vectors.txt"
    ),
    "mosi_conversations": corpus(
        "mosi_conversations", write_mosi, ("mosi_utterance/video/video_train0.csv",), "mosi_conversations"
    ),
    "mosi_lmf": corpus("mosi_lmf", lmf(lmf_pickles.MOSI, lambda: section(1)), ("lmf/mosi.pkl",), "lmf_pickles"),
    "pom_lmf": corpus("pom_lmf", lmf(lmf_pickles.POM, lambda: section(16)), ("lmf/pom.pkl",), "lmf_pickles"),
    "iemocap_lmf": corpus(
        "iemocap_lmf",
        lmf(lmf_pickles.IEMOCAP, lambda: {e: section(2) for e in lmf_pickles.IEMOCAP.emotions}),
        ("lmf/iemocap.pkl",),
        "lmf_pickles",
    ),
    "mosei_emotions": corpus(
        "mosei_emotions",
        lambda root: emotion_arrays.MOSEI.write(root, data.load("mosei_emotions_like", samples=40)),
        ("cmu-mosei/audio_test.h5", "cmu-mosei/ey_train.h5"),
        "emotion_arrays",
        "named_arrays",
    ),
    "iemocap_emotions": corpus(
        "iemocap_emotions",
        lambda root: emotion_arrays.IEMOCAP.write(root, data.load("iemocap_emotions_like", samples=40)),
        ("iemocap/iemocap_data.pkl",),
        "emotion_arrays",
    ),
    "iemocap_nine": corpus(
        "iemocap_nine",
        lambda root: emotion_arrays.NINE.write(root, nine_corpus()),
        ("iemocap/covarep_train.p", "iemocap/y_test.p"),
        "emotion_arrays",
    ),
    "meld_text": corpus(
        "meld_text", write_meld, ("meld/train_sent_emo.csv", "meld/dev_sent_emo.csv"), "meld_text", width=5
    ),
    "mosei_text": corpus(
        "mosei_text",
        write_mosei,
        ("mosei/mosei.csv", "mosei/CMU_MOSEI_Labels.csv", "mosei/unimse_train.tsv", "mosei/MOSEI_split/test_split.txt"),
        "mosei_text",
        "mosei_tables",
        width=5,
    ),
    "mosei_text_sentiment": corpus(
        "mosei_text_sentiment", write_mosei, ("mosei/unimse_test.tsv",), "mosei_text", width=5, split="standard"
    ),
    "ravdess": corpus(
        "ravdess",
        write_ravdess,
        (
            "ravdess/openface_au/au_mfcc.pkl",
            "ravdess/audio_speech_actors_01-24/Actor_01/03-01-02-01-01-01-01.wav",
            "ravdess/audio_speech_actors_01-24/Actor_01/03-01-05-01-01-01-01.flac",
        ),
        "action_units",
        "sound",
    ),
    "ravdess_dialogues": corpus(
        "ravdess_dialogues",
        write_ravdess,
        ("ravdess/openface_au/au_mfcc.pkl",),
        "action_units",
        dialogues="actor",
    ),
    "ravdess_raw": corpus(
        "ravdess_raw",
        write_ravdess,
        (
            "ravdess/audio_speech_actors_01-24/Actor_02/03-01-03-01-01-01-02.wav",
            "ravdess/audio_speech_actors_01-24/Actor_01/03-01-05-01-01-01-01.flac",
        ),
        "sound",
    ),
    "ravdess_frames": corpus(
        "ravdess_frames",
        write_frames,
        (
            "ravdess/openface_au/series/01-01-02-01-01-01-01.csv",
            "ravdess/audio_speech_actors_01-24/Actor_02/03-01-03-01-01-01-02.wav",
        ),
        "ravdess_frames",
        "text_files",
    ),
    "ravdess_frames_raw": corpus(
        "ravdess_frames_raw",
        write_frames,
        ("ravdess/audio_speech_actors_01-24/Actor_02/03-01-03-01-01-01-02.wav",),
        "ravdess_frames_raw",
        "sound",
    ),
    "ravdess_frames_handcrafted": corpus(
        "ravdess_frames_handcrafted",
        write_frames,
        ("ravdess/openface_au/series/01-01-02-01-01-01-01.csv",),
        "ravdess_frames_handcrafted",
        "ravdess_frames",
    ),
    "iemocap_conversations": corpus(
        "iemocap_conversations",
        conversations(spcl_pickles.IEMOCAP),
        ("spcl/iemocap/iemocap.pkl",),
        "spcl_pickles",
        "dialogue_tables",
        "stored_dialogues",
    ),
    "meld_conversations": corpus(
        "meld_conversations", conversations(spcl_pickles.MELD), ("spcl/meld/meld.pkl",), "spcl_pickles"
    ),
    "iemocap_conversations_mmgcn": corpus(
        "iemocap_conversations_mmgcn",
        conversations(mmgcn_pickles.IEMOCAP),
        ("mmgcn/iemocap/IEMOCAP_features.pkl",),
        "mmgcn_pickles",
    ),
    "meld_conversations_mmgcn": corpus(
        "meld_conversations_mmgcn",
        conversations(mmgcn_pickles.MELD),
        ("mmgcn/meld/MELD_features_raw1.pkl",),
        "mmgcn_pickles",
    ),
    "note of a stand-in": corpus("mmmo", write_note, ("mfn/new_data/mmmo/stand_in.json",), "provenance"),
    "pickled word vectors": Reader(write_vectors, look_up("words.pt"), ("words.pt",), ("vector_files",)),
    "lines of word vectors": Reader(
        lambda root: (root / "words.txt").write_text("happy 1 2\nsad 3 4\n"),
        look_up("words.txt"),
        ("words.txt",),
        ("vector_files",),
    ),
    "pre-trained part": Reader(
        write_part, read_part, ("vectors.npy",), ("frozen",), refusal=r"holds \d+ bytes|has sha256|cannot be read"
    ),
    "word pieces": Reader(
        lambda root: (root / "vocab.txt").write_text(
            "\n".join((*wordpiece.SPECIAL, "good", "##s", "caf\u00e9")) + "\n"
        ),
        lambda root: wordpiece.vocabulary(root / "vocab.txt"),
        ("vocab.txt",),
        ("wordpiece",),
    ),
    "hand-crafted features": Reader(
        write_handcrafted,
        read_handcrafted,
        ("IEMOCAP_HCF_FEATURES/train_audio_features.pt",),
        ("iemocap_handcrafted",),
    ),
    "raw IEMOCAP": Reader(
        write_raw("iemocap"),
        lambda root: raw_layout.read("iemocap", root),
        ("IEMOCAP_RAW_PROCESSED/meta.pkl", "IEMOCAP_SPLIT/train_split.txt"),
        ("raw_layout",),
    ),
    "raw MOSEI": Reader(
        write_raw("mosei"),
        lambda root: raw_layout.read("mosei", root),
        ("MOSEI_RAW_PROCESSED/meta.pkl", "MOSEI_SPLIT/test_split.txt"),
        ("raw_layout",),
    ),
    "image": Reader(
        write_media, lambda root: raw_decoding.read_image(root / "a.jpg", "mosei"), ("a.jpg",), ("raw_decoding",)
    ),
    "waveform": Reader(write_media, read_one_wave, ("a.wav",), ("raw_decoding", "mel")),
    "prepared utterances": Reader(
        write_prepared,
        read_prepared,
        ("out/mosei/prepared.json", "out/mosei/utterances/stand-in0_0.npz"),
        ("raw_batches", "npz_files"),
    ),
    "prepared again": Reader(
        write_prepared, prepare_again, ("out/mosei/utterances/stand-in0_0.npz",), ("raw_preprocessing",), heals=True
    ),
    "mosei, hand-crafted": Reader(
        write_end_to_end("mosei"),
        open_features("mosei"),
        ("mme2e/MOSEI_HCF_FEATURES/mosei_senti_hcf_train.pkl",),
        ("mosei_handcrafted",),
    ),
    "iemocap, hand-crafted": Reader(
        write_end_to_end("iemocap"),
        open_features("iemocap"),
        ("mme2e/IEMOCAP_HCF_FEATURES/valid_text_features.pt",),
        ("iemocap_handcrafted",),
    ),
    "mosei_raw": corpus(
        "mosei_raw", write_end_to_end("mosei"), ("mme2e_prepared/mosei/prepared.json",), "streamed_corpus"
    ),
    "iemocap_raw": corpus(
        "iemocap_raw", write_end_to_end("iemocap"), ("mme2e_prepared/iemocap/prepared.json",), "streamed_corpus"
    ),
    "configuration of ALBERT": Reader(
        write_config, albert_folder.arguments, (albert_folder.CONFIG,), ("albert_folder",), heals=True
    ),
    "MOSEI's release": Reader(
        releases.mosei,
        lambda root: mosei_release.read(root, root / "out"),
        RELEASE["mosei"],
        ("mosei_release",),
        heals=True,
    ),
    "IEMOCAP's release": Reader(
        releases.iemocap,
        cut_releases,
        RELEASE["iemocap"],
        ("iemocap_release", "cutting"),
        heals=True,
    ),
    "sound of a Flash video": Reader(
        lambda root: releases.flash(root / "a.flv", 0.5),
        lambda root: read_sound(root / "a.flv"),
        ("a.flv",),
        ("flash_sound",),
    ),
    "own, arrays": Reader(
        lambda root: own.write_folder(root / "own" / "mine"),
        lambda root: corpus_folder.read(root, name="mine"),
        ("own/mine/corpus.yaml", "own/mine/test.npz"),
        ("yaml_files", "split_files", "corpus_folder"),
    ),
    "own, tables": Reader(
        lambda root: own.write_tables(root / "own" / "mine"),
        lambda root: corpus_folder.read(root, name="mine"),
        ("own/mine/test.parquet", "own/mine/train.csv"),
        ("tables",),
    ),
    "pickle of MMSA": Reader(
        lambda root: own.write_pickle(root / "aligned_50.pkl", own.mmsa()),
        lambda root: brought(root / "aligned_50.pkl"),
        ("aligned_50.pkl",),
        ("field_pickles",),
    ),
    "computational sequences": Reader(
        own.write_sequences, brought, ("COVAREP.csd", "folds.csv"), ("computational_sequences",)
    ),
    "cache": Reader(fill_cache, use_cache, ("entry/a.npy", "entry/arrays.json"), ("cache",), heals=True),
}

NO_READERS = {
    "cremad_release": "what is wrong with a clip is told beside the others; test_cremad has the cases",
    "mtcnn": "its weights are compared with a hash before torch's reader meets them",
    "mtcnn_networks": "as `mtcnn`; test_mtcnn has what torch's reader says of other files",
    "catalogue": "reads its own table, which belongs to the library; the files of corpora are only hashed",
    "fetch": "what arrives is compared with a hash, never parsed",
    "packages": "a wheel is compared with its hash before it is opened; test_packages has the others",
    "pretrained": "reads its own table, as the catalogue does; the files of parts are only hashed",
    "synthetic": "writes files in a format of another module and has them read there",
    "synthetic_handcrafted": "only writes",
    "synthetic_raw": "only writes",
    "synthetic_recordings": "reads back what it has just written",
    "word_vectors": "chooses one of the readers above",
}
"""Modules of `lib.data` that touch files but parse nothing from outside, and why."""


def check_sound(found: object) -> None:
    """Data that came out of a damaged file are whole: a corpus has checked itself, of the rest the numbers count."""
    if isinstance(found, Corpus):
        for split in found.splits.values():
            assert all(np.isfinite(x).all() and x.dtype == np.float32 for x in split.features.values())
            assert np.isfinite(split.labels).all()
            assert ((split.lengths >= 0) & (split.lengths <= max(x.shape[1] for x in split.features.values()))).all()
    elif isinstance(found, np.ndarray):
        assert np.isfinite(found).all()
    elif isinstance(found, dict):
        for value in found.values():
            if isinstance(value, np.ndarray | torch.Tensor):
                assert np.isfinite(np.asarray(value)).all()
