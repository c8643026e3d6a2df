"""IEMOCAP as the papers cut it."""
