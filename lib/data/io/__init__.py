"""Files in the formats people keep them in, read with the distrust that any file from outside deserves."""
