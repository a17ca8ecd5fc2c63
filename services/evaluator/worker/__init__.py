"""The evaluator's worker: evaluation, prediction and packaging in a child process."""
