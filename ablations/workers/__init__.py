"""Who trains: worker processes, or the process that calls."""
