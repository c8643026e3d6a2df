"""`python -I -X utf8 lib/workflow/launch.py MODULE ARGUMENTS`: run a module of this workspace, or an installed one.

In place of PYTHONPATH, which cannot hold a path with a colon and in which the user's own folders stand.
"""

import runpy
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
