"""What surrounds the trainer: optimisers, its state on disk, devices, failures, progress."""
