"""What the registry, the trainer and the evaluator must agree on about pixels.

Nothing is imported here: only some of the modules need torch.
"""
