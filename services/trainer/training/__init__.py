"""Training. torch is imported below this package and in the child process, nowhere else in the trainer
(invariant 7).
"""
