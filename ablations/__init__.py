"""What to compare, running it, keeping what was found; no PyTorch but in workers and `trained`."""
