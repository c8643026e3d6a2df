"""The order of samples is that of the files, or a stated one; never that of a process' string hashes."""

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lib import data
from lib.data.dialogues import mmgcn_pickles, spcl_pickles
from lib.data.io.ordering import RULE, natural_order
from lib.errors import InputError
from tests.data.dialogues.test_conversation_pickles import put, stored, table
from tests.data.readers import READERS
from tests.data.samples import REAL

WORKSPACE = Path(__file__).resolve().parents[2]
LAYOUTS = {
    "iemocap_conversations": spcl_pickles.IEMOCAP,
    "meld_conversations": spcl_pickles.MELD,
    "iemocap_conversations_mmgcn": mmgcn_pickles.IEMOCAP,
    "meld_conversations_mmgcn": mmgcn_pickles.MELD,
}
IN_A_PROCESS = """
import hashlib, json, sys
import numpy as np
from lib import data
from lib.data.corpus import Corpus
found = {}
for name, root in json.loads(sys.argv[1]).items():
    corpus = data.load(name, root)
    content = hashlib.sha256()
    for split in corpus.splits.values():
        content.update(repr(split.ids).encode())
        arrays = [*split.features.values(), split.labels] if isinstance(corpus, Corpus) else [split.labels]
        for array in arrays:
            content.update(np.ascontiguousarray(array).tobytes())
    found[name] = content.hexdigest()
print(json.dumps(found))
"""


def unordered(name: str, root: Path, kind: type) -> None:
    """The file of a layout whose two lists of dialogues are of another type."""
    layout = LAYOUTS[name]
    layout.write(root, stored(layout.kind, train=23, test=4), REAL)
    tree = pickle.loads(layout.files(root)[0].read_bytes())
    of = dict.fromkeys if kind is dict else kind
    if isinstance(tree, dict):
        tree |= {key: of(reversed(tree[key])) for key in ("trainVid", "testVid")}
    else:
        tree = tuple(of(reversed(item)) if place in (7, 8) else item for place, item in enumerate(tree))
    put(layout, root, tree)


def hashes(roots: dict[str, Path], seed: str, cache: Path) -> dict[str, str]:
    """What a fresh process with an empty cache reads."""
    environment = os.environ | {"PYTHONHASHSEED": seed, "REPRISE_CACHE": str(cache), "PYTHONPATH": str(WORKSPACE)}
    command = [sys.executable, "-P", "-c", IN_A_PROCESS, json.dumps({name: str(root) for name, root in roots.items()})]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


@pytest.mark.parametrize("kind", [set, frozenset, dict])
def test_dialogues_without_an_order_are_the_same_in_every_process(kind, tmp_path):
    roots = {name: tmp_path / name for name in LAYOUTS}
    for name, root in roots.items():
        unordered(name, root, kind)
    first, *others = (hashes(roots, seed, tmp_path / f"cache{seed}") for seed in ("0", "1", "2", "random"))
    assert set(first) == set(LAYOUTS)
    assert all(other == first for other in others)


def test_every_corpus_is_the_same_in_every_process(tmp_path):
    names = ["iemocap", "mosi_utterances", "mosi_words", "mosi_conversations", "mosi_lmf", "mmmo", "iemocap_nine"]
    names += ["mosei_emotions", "iemocap_emotions", "iemocap_raw", "mosei_raw", "ravdess_dialogues"]
    roots = {name: tmp_path / name for name in names}
    for name, root in roots.items():
        root.mkdir()
        READERS[name].make(root)
    assert hashes(roots, "1", tmp_path / "one") == hashes(roots, "2", tmp_path / "two")


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_list_without_an_order_is_sorted_and_said_to_be(name, tmp_path):
    unordered(name, tmp_path, set)
    for _ in range(2):  # read, and from the cache
        corpus = data.load(name, tmp_path)
        told = [warning for warning in corpus.source.warnings if RULE in warning]
        parts = ("training", "test")
        assert told == [f"the file keeps its {part} dialogues without an order: {RULE}" for part in parts]
    kept = stored(LAYOUTS[name].kind, train=23, test=4)
    assert corpus.splits["test"].ids == tuple(map(str, natural_order(kept.test)))


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_list_is_used_in_its_order(name, tmp_path):
    layout = LAYOUTS[name]
    layout.write(tmp_path, stored(layout.kind, train=23, test=4), REAL)
    corpus = data.load(name, tmp_path)
    assert not [warning for warning in corpus.source.warnings if RULE in warning]
    assert corpus.splits["test"].ids == stored(layout.kind, train=23, test=4).test


@pytest.mark.parametrize("name", ["iemocap_conversations", "iemocap_conversations_mmgcn"])
@pytest.mark.parametrize("column", ["speakers", "labels"])
def test_a_set_in_place_of_a_dialogues_row_is_refused(name, column, tmp_path):
    layout = LAYOUTS[name]
    layout.write(tmp_path, stored(layout.kind, train=12, test=2), REAL)
    tree = pickle.loads(layout.files(tmp_path)[0].read_bytes())
    rows = table(layout, tree, column)
    key = next(iter(rows))
    rows[key] = set(rows[key])
    put(layout, tmp_path, tree)
    with pytest.raises(InputError, match=f"dialogue {key}: {column} are (a set, which has no order|not numbers)"):
        data.load(name, tmp_path)


def test_the_rule():
    mixed = ["b", 10, "Ses1_10", "Ses1_2", 9, "a", "10", "9", "Ses1", "009", -1]
    ordered = [-1, 9, 10, "009", "9", "10", "Ses1", "Ses1_2", "Ses1_10", "a", "b"]
    rng = np.random.default_rng(0)
    for _ in range(20):
        assert natural_order([mixed[place] for place in rng.permutation(len(mixed))]) == ordered
    assert natural_order(["9" * 5000 + "b", "1" + "0" * 5000]) == ["9" * 5000 + "b", "1" + "0" * 5000]
