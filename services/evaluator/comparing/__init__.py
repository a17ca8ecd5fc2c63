"""Two reports on the same samples: what became of each, and whether that proves anything (P2)."""
