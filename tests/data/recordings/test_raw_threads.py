"""What is decoded from recordings does not depend on how many cores do it."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
DECODE = """
import hashlib, sys
from pathlib import Path
from lib.data.recordings.raw_decoding import Options
from lib.data.recordings.raw_preprocessing import preprocess
from lib.data.recordings.streamed_corpus import RawReader
from lib.data.stand_ins import synthetic_raw

reader = RawReader("iemocap")
for workers in (1, 2):
    folder = Path(sys.argv[1]) / str(workers)
    synthetic_raw.write("iemocap", reader.features(folder), {"train": 3, "valid": 1, "test": 1}, frames=2)
    options = Options(34, "reference", "reference", None)
    preprocess("iemocap", reader.features(folder), reader.folder(folder).parent, options, workers=workers)
    utterances = sorted(reader.folder(folder).rglob("*.npz"))
    print(len(utterances), hashlib.sha256(b"".join(path.read_bytes() for path in utterances)).hexdigest())
"""


def test_one_core_with_two_threads_and_two_workers_leave_the_same_bytes(tmp_path):
    threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "2")
    done = subprocess.run(
        [sys.executable, "-c", DECODE, str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        env={**os.environ, **threads, "PYTHONPATH": str(ROOT)},
    )
    one, two = done.stdout.splitlines()
    assert one == two
    assert one.startswith("5 ")
