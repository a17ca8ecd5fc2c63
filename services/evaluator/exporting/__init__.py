"""Reports as files: CSV with a line a sample, and one HTML page with pictures."""
