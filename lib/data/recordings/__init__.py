"""Video, sound and text, from a release to the batches of the end-to-end models."""
