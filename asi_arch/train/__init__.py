"""Training: the backbone, the data, the trainer, and fla's kernels on the CPU."""
