"""From a command line to executed notebooks: environment, staleness, Snakemake, papermill.

`usage`, `runs`, `environment` and `start` run before any package is installed and import the standard library only.
"""
