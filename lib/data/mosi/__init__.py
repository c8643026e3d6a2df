"""CMU-MOSI by utterance and by word."""
