"""The YAML of a run, checked and typed before any kernel starts.

`params/<notebook>/<run>.yaml` names the notebook and the result folder by its own path. Each notebook has one frozen
pydantic model, in the folder of its paper; a notebook's parameters cell has exactly the model's fields.
"""

from lib.params.base import NONFINITE, Nonfinite, Parameters
from lib.params.yaml_file import check, read

__all__ = ["NONFINITE", "Nonfinite", "Parameters", "check", "read"]
