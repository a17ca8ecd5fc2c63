"""What runs Loupe: the embedded stack for one machine, and files for containers."""
