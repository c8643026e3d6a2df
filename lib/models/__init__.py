"""One file per model family; plain `torch.nn.Module`s that know nothing of files, notebooks or grids."""
