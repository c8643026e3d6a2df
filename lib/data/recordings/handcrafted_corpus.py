"""The hand-crafted corpora of the end-to-end paper without its raw files: features, labels and lists of splits.

Below `mme2e/` of the data folder: `*_HCF_FEATURES/`, `*_SPLIT/` and `*_RAW_PROCESSED/meta.pkl`, of which the labels
are read.
"""

from dataclasses import dataclass, replace
from pathlib import Path

from lib.data.corpus import SPLITS
from lib.data.io.features import Nonfinite
from lib.data.io.source_files import hash_sources
from lib.data.recordings.handcrafted_batches import feature_files, open_split
from lib.data.recordings.raw_layout import EMOTIONS, Kind, processed_folder, read, split_list
from lib.data.recordings.streamed_corpus import RAW, StreamedCorpus, raw_source
from lib.files import sha256_json


@dataclass(frozen=True)
class HandcraftedReader:
    kind: Kind

    def files(self, root: Path) -> list[Path]:
        folder = Path(root) / RAW
        features = [path for split in SPLITS for path in feature_files(self.kind, folder, split)]
        lists = [split_list(self.kind, folder, split) for split in SPLITS]
        return [processed_folder(self.kind, folder) / "meta.pkl", *lists, *features]

    def read(self, root: Path, audio_type: int = 0, *, nonfinite: Nonfinite = "error") -> StreamedCorpus:
        """Batches are padded when they are asked for; `audio_type` (0-6) chooses IEMOCAP's audio columns.

        Utterances without usable features are left out and listed, as are those with NaN or infinity, which
        `nonfinite="zero"` sets to 0 instead. Raises InputError for missing or damaged files and
        for a split of which nothing is left.
        """
        root = Path(root)
        hashes = hash_sources(f"{self.kind}_handcrafted", root, self.files(root))
        listed = read(self.kind, root / RAW, folders=False)
        splits, problems = {}, list(listed.problems)
        for split in SPLITS:
            labels = [(item.id, item.label) for item in listed.splits[split]]
            splits[split], told = open_split(self.kind, root / RAW, split, labels, audio_type, nonfinite)
            problems += told
        options = {"audio_type": audio_type} | ({"nonfinite": nonfinite} if nonfinite != "error" else {})
        source = replace(raw_source(self.kind, listed.synthetic), files=hashes)
        if not listed.synthetic:
            source = replace(source, name=source.name.replace("raw, end-to-end", "hand-crafted, end-to-end"))
        digest = sha256_json([hashes, options])
        return StreamedCorpus(EMOTIONS[self.kind], splits, source, tuple(problems), digest, options)


IEMOCAP, MOSEI = HandcraftedReader("iemocap"), HandcraftedReader("mosei")
