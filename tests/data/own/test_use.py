"""A corpus that was brought is one that every notebook can name, from the next start on."""

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.data.own.brought import write_folder

ROOT = Path(__file__).resolve().parents[3]
_ASK = """
import json
from lib import data
from lib.data import corpora
from lib.errors import InputError
from lib.papers.colearning import IemocapColearning
from lib.papers.colearning.study import study
given = dict(results="-", dataset="mine", target=["audio"], support=["video"], rates=[0.0, 0.8], seeds=[0], epochs=1,
             batch_size=4, learning_rate=0.1, hidden=4, dropout=0.0)
found = {"task": data.load("mine").task, "classes": corpora.names(task="classes", form="sequences")}
found["members"] = [member.variant for _, member in study(IemocapColearning(**given)).members]
try:
    data.load("broken")
except InputError as error:
    found["broken"] = str(error)
print(json.dumps(found))
"""


def test_a_corpus_in_the_data_folder_can_be_named(tmp_path):
    write_folder(tmp_path / "own" / "mine")
    (tmp_path / "own" / "broken").mkdir()
    (tmp_path / "own" / "broken" / "corpus.yaml").write_text("task: classes\n")
    surroundings = os.environ | {"REPRISE_DATA": str(tmp_path), "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", _ASK], capture_output=True, text=True, env=surroundings, check=True)
    found = json.loads(done.stdout)
    assert found["task"] == "classes"
    assert "mine" in found["classes"]
    assert "broken" not in found["classes"]
    assert found["members"] == ["rate 0", "rate 0.8", "audio only"]
    assert "broken/corpus.yaml: key 'label' is missing" in found["broken"]
