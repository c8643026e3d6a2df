"""What the process of a kernel runs, in a batch run as in JupyterLab: ipykernel, from the top of the workspace."""

import os
import runpy
import sys
from pathlib import Path

from lib.workflow.runs import ROOT

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
    sys.argv[0] = "ipykernel_launcher"
    runpy.run_module("ipykernel_launcher", run_name="__main__", alter_sys=True)
