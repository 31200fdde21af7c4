"""Who trains: worker processes, the process that calls, or the nodes of a cluster."""
