"""Corpora that a person brings: an open folder format, and the pickles and sequences of the field made into it.

`declaration` is what such a folder says of itself, `tables` and `split_files` what may lie in it, `corpus_folder` reads
and writes it; `mmsa_pickles`, `mult_pickles` and `computational_sequences` read what others publish, `importing`
recognises and stores it, and `findings` says what a careful colleague would say of it.
"""
