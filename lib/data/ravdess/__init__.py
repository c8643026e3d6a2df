"""RAVDESS: actors who say two sentences with eight emotions."""
