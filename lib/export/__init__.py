"""Trained models as things that one keeps: written to a folder, read back, and asked about other utterances."""
