"""What the benchmarks share: who is compared, one training step that is the same for all, and how it is timed."""
