"""What the process of a kernel runs, in a batch run as in JupyterLab: ipykernel, from the top of the workspace.

Options, before those of ipykernel: `--trains` loads what every notebook that trains needs before the first cell asks
for it, `--workers` lets `lib.training.workers` get ready as well.
"""

import os
import runpy
import sys
from pathlib import Path

from lib.workflow.runs import ROOT

TRAINS, WORKERS = "--trains", "--workers"
DRAWS = ("matplotlib.figure", "matplotlib.backends.backend_agg", "matplotlib.backends.backend_svg")
"""What workers that draw figures need."""

if __name__ == "__main__":
    # Jupyter starts a kernel in the folder of its notebook. What is imported here remembers where it was.
    os.chdir(ROOT)
    import multiprocessing.process  # noqa: F401

    # This takes the style of figures from a file in the current folder, when it is imported; here there is none.
    os.chdir(Path(__file__).parent)
    import matplotlib  # noqa: F401

    os.chdir(ROOT)
    # It removes the first place if that is the current folder, but the workers need the workspace, too.
    sys.path.insert(0, "")
    options = {option for option in sys.argv[1:3] if option in (TRAINS, WORKERS)}
    sys.argv[1:] = sys.argv[1 + len(options) :]
    if TRAINS in options:
        import torch  # noqa: F401
    if WORKERS in options:
        from lib.training.workers import prepare

        # In the folder of the connection file, which the runner removes however this process ends. Before ipykernel,
        # which has threads: so it can be forked.
        prepare(str(Path(sys.argv[sys.argv.index("-f") + 1]).parent), further=DRAWS, fork=True)
    sys.argv[0] = "ipykernel_launcher"
    runpy.run_module("ipykernel_launcher", run_name="__main__", alter_sys=True)
