"""What surrounds the trainer: its state on disk, devices, failures, progress."""
