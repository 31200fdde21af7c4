"""What to compare, running it, and keeping what was found; imports no PyTorch but in workers."""
