"""One loop for all papers, what papers add to it, and grids of runs."""
