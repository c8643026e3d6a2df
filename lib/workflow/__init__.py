"""From a command line to executed notebooks: environment, staleness, Snakemake, papermill.

`start`, `usage`, `environment` and what they import run before any package is installed: the standard library only.
"""
