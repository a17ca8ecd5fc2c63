"""Training. In the trainer, torch is imported here and in the child process only (invariant 7)."""
