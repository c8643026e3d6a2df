"""Holds the layers of `lib` (`[tool.importlinter]` in pyproject.toml): `python -m lib.workflow.layers`."""

import sys

from importlinter.cli import lint_imports

from lib.workflow.runs import ROOT

if __name__ == "__main__":
    sys.exit(lint_imports(str(ROOT / "pyproject.toml"), no_cache=True, no_logo=True))
