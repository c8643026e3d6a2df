"""One description of each real corpus, by the kind of its files; `lib.data.corpora` puts them together."""
