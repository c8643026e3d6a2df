"""`python -I -X utf8 lib/workflow/launch.py MODULE ARGUMENTS`: run a module of this workspace, or an installed one.

In place of PYTHONPATH, which cannot hold a path with a colon and in which the user's own folders stand.
"""

import os
import runpy
import sys
from contextlib import suppress
from importlib.machinery import SourceFileLoader
from pathlib import Path


def write_whole(loader: SourceFileLoader, path: str, data: bytes, *, _mode: int = 0o666) -> None:
    """Keep compiled code, or nothing. On a full disk Python's own writer (until 3.14) leaves a part under the final
    name, and then no start finds its way past that, also when there is space again.
    """
    part = f"{path}.{os.getpid()}"
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        with open(part, "wb", opener=lambda name, flags: os.open(name, flags, _mode)) as file:
            file.write(data)
        Path(part).replace(path)
    except OSError:
        with suppress(OSError):
            Path(part).unlink()


if __name__ == "__main__":
    SourceFileLoader.set_data = write_whole
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
