"""Significant bits of cameras whose grey values lie in files of 16 bits (D6)."""

CAMERA_BITS = (10, 12, 14)
"""What `--bits` takes, and what a data path can have."""
