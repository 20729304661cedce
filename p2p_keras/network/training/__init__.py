"""Training: configuration, losses, metrics, the trainer and the run folder."""
