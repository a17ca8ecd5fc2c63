"""The trainer: a worker without torch, and the child process in which torch lives."""
