"""Reading parameters is quick: the command reads those of every run before it starts anything."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ("torch", "pandas", "h5py", "jaxtyping", "scipy", "sklearn", "cv2", "PIL", "matplotlib")
READ_ALL = """
import sys
from pathlib import Path
sys.path.insert(0, "")
import lib.papers
for path in sorted(Path("params").glob("*/*.yaml")):
    given = lib.papers.load(path, results="results", data_root="")
    print(path, *given.corpora(), *given.further_files(), file=sys.stderr)
print(*sorted({name.partition(".")[0] for name in sys.modules}))
"""


def test_no_parameter_file_loads_what_only_trains_reads_or_draws():
    command = [sys.executable, "-c", READ_ALL]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stderr.count(".yaml") > 20
    loaded = done.stdout.split()
    assert {"pydantic", "lib"} <= set(loaded)
    assert not set(HEAVY) & set(loaded)
