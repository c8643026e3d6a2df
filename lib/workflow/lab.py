"""`run_all.sh lab`: JupyterLab in the workspace, for this machine's user only.

Its notebooks run as in a batch run: this very Python, from the top of the workspace, with the workspace's `lib`.
"""

import os
import secrets
import sys
from collections.abc import Sequence
from pathlib import Path

from lib.files import write_json
from lib.workflow.runs import ROOT

JUPYTER = ROOT / ".reprise" / "jupyter"
# Jupyter starts a kernel in the folder of its notebook; ours start where the batch runs do.
FROM_THE_TOP = "import os, sys; os.chdir(sys.argv.pop(1)); import ipykernel.kernelapp as k; k.launch_new_instance()"


def open_lab(rest: Sequence[str]) -> int:
    """Serve until stopped. `rest` are further arguments of JupyterLab; address and token are not among what they set.

    traitlets refuses an option that is given twice, so neither `rest` nor the user's own settings widen the access.
    """
    from jupyterlab.labapp import LabApp

    register_kernel(JUPYTER)
    # Searched before what the user has registered, where another `python3` may lie; nothing is written there.
    os.environ["JUPYTER_PATH"] = os.pathsep.join(filter(None, [str(JUPYTER), os.environ.get("JUPYTER_PATH")]))
    # In the arguments of this call, not of the process, which every user of the machine can list.
    token = os.environ.get("JUPYTER_TOKEN") or secrets.token_hex(24)
    access = ["--ServerApp.ip=127.0.0.1", "--ServerApp.allow_remote_access=False", f"--IdentityProvider.token={token}"]
    LabApp.launch_instance([*access, f"--ServerApp.root_dir={ROOT}", *rest])
    return 0


def register_kernel(folder: Path) -> None:
    """Write the kernel `python3`, which the notebooks name, below `folder` (an entry of JUPYTER_PATH)."""
    kernel = {
        "argv": [sys.executable, "-P", "-c", FROM_THE_TOP, str(ROOT), "-f", "{connection_file}"],
        "display_name": "Reprise (Python 3)",
        "language": "python",
        "env": {"PYTHONPATH": str(ROOT)},
        "metadata": {"debugger": True},
    }
    write_json(folder / "kernels" / "python3" / "kernel.json", kernel)
