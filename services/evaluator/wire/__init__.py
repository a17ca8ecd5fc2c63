"""Domain values to contracts and files, and back. Nothing here reads the database."""
