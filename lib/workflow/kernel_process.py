"""What the process of a kernel runs, in a batch run as in JupyterLab: ipykernel, from the top of the workspace."""

import os
import runpy
import sys
from pathlib import Path

from lib.workflow.runs import ROOT

if __name__ == "__main__":
    # It takes the style of figures from a file in the current folder, when it is imported: here there is none.
    os.chdir(Path(__file__).parent)
    import matplotlib  # noqa: F401

    # Jupyter starts a kernel in the folder of its notebook.
    os.chdir(ROOT)
    sys.argv[0] = "ipykernel_launcher"
    runpy.run_module("ipykernel_launcher", run_name="__main__", alter_sys=True)
