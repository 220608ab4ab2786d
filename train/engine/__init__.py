"""The training engine: one loop, its processes, checkpoints, batches and options."""
