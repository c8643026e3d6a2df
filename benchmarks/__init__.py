"""What is timed and how: `./run_all.sh bench`."""
