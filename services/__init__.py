"""The services of Loupe, and the plumbing they share."""
