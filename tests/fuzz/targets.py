"""What the fuzzer feeds: one file of one reader, whose other files are sound."""

import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lib.errors import InputError
from tests.data.hostile_files import cases
from tests.data.readers import READERS, check_sound

TARGETS: dict[str, tuple[str, str]] = {
    "hdf5": ("mmmo", "mfn/new_data/mmmo/audio_valid.h5"),
    "npy_array": ("iemocap, stacked", "iemocap/Y_test.npy"),
    "npy_names": ("iemocap, stacked", "iemocap/labels.npy"),
    "label_table": ("iemocap", "iemocap/non_combined/df_iemocap.csv"),
    "transcripts": ("mosi_utterances", "mosi_utterance/transcripts.csv"),
    "meld_table": ("meld_text", "meld/dev_sent_emo.csv"),
    "glove": ("mosi_words", "vectors.txt"),
    "word_pickle": ("pickled word vectors", "words.pt"),
    "lmf_pickle": ("mosi_lmf", "lmf/mosi.pkl"),
    "spcl_pickle": ("iemocap_conversations", "spcl/iemocap/iemocap.pkl"),
    "mmgcn_pickle": ("meld_conversations_mmgcn", "mmgcn/meld/MELD_features_raw1.pkl"),
    "raw_meta": ("raw MOSEI", "MOSEI_RAW_PROCESSED/meta.pkl"),
    "split_list": ("raw IEMOCAP", "IEMOCAP_SPLIT/train_split.txt"),
    "stand_in_note": ("note of a stand-in", "mfn/new_data/mmmo/stand_in.json"),
    "prepared_list": ("prepared utterances", "out/mosei/prepared.json"),
    "prepared_arrays": ("prepared utterances", "out/mosei/utterances/stand-in0_0.npz"),
    "image": ("image", "a.jpg"),
    "waveform": ("waveform", "a.wav"),
}


class Target:
    """Feeds bytes to the reader as the content of its file."""

    def __init__(self, name: str, folder: Path):
        self.reader, self._root = READERS[TARGETS[name][0]], folder / "data"
        self._root.mkdir()
        self.reader.make(self._root)
        self._path = self._root / TARGETS[name][1]
        self.sound = self._path.read_bytes()
        self._marker = folder / "marker"

    def feed(self, content: bytes) -> bool:
        """Whether the reader took it. Anything but InputError in one line, or sound data, is raised."""
        self._path.write_bytes(content)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found = self.reader.read(self._root)
        except InputError as error:
            assert str(error).isprintable() and len(str(error)) < 2000
            return False
        finally:
            assert not self._marker.exists(), "something in the file was run"
        check_sound(found)
        return True

    def seeds(self, longest: int) -> Iterator[bytes]:
        """The sound file, and all that is known against files of its kind."""
        yield self.sound
        for hostile in cases(self._path, self._marker).values():
            self._path.write_bytes(self.sound)
            hostile.damage(self._path)
            if self._path.is_dir():
                shutil.rmtree(self._path)
            elif self._path.stat().st_size <= longest:
                yield self._path.read_bytes()


@contextmanager
def opened(name: str) -> Iterator[Target]:
    """A target in a folder of its own, in memory where that is possible, with a cache of its own."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(prefix="fuzz-", dir=memory if memory.is_dir() else None) as folder:
        os.environ["REPRISE_CACHE"] = f"{folder}/cache"
        yield Target(name, Path(folder))
