"""Where there are widgets, open the explorer's panel; elsewhere say that there is none."""

import os
from importlib import import_module

from lib.papers.explore import Explore

BELOW = "the cells below show the setting of the parameters cell."


def show(p: Explore) -> object | None:
    """Display the panel that trains, and return it, where there are widgets (see `displayed`)."""
    return displayed("lib.papers.explore.panel", p, otherwise=BELOW)


def displayed(module: str, *given: object, otherwise: str) -> object | None:
    """Display the `Panel` of a module where a Jupyter server runs the kernel and ipywidgets is there, and return it.

    Elsewhere, as in a batch run, one line says so and what there is `otherwise`, and no state of a widget enters the
    stored notebook.
    """
    if "JPY_SESSION_NAME" not in os.environ:
        print(f"No widgets in a batch run: {otherwise}")
        return None
    try:
        made = import_module(module).Panel
    except ModuleNotFoundError:
        print(f"No widgets without the package ipywidgets: {otherwise}")
        return None
    from IPython.display import display

    panel = made(*given)
    display(panel.box)
    return panel
