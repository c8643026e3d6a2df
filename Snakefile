# One job per run. Which runs are stale is decided by content in lib/workflow/freshness.py, never by file times:
# `run_all.sh` names those runs as targets and forces them. The job declares its status file alone, because Snakemake
# deletes what a failed job declares, and the partly executed notebook must stay.
import sys


wildcard_constraints:
    notebook=r"[^/]+",
    name=r"[^/]+",


rule run:
    output:
        "results/{notebook}/{name}/status.json",
    params:
        python=sys.executable,
    threads: config.get("threads", 1)
    shell:
        "exec {params.python:q} -m lib.workflow.runner {wildcards.notebook:q} {wildcards.name:q} --cores {threads}"
