"""One file per paper: what its notebooks share between the parameters and the tables."""
