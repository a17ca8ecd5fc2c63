"""Use cases. Each is one transaction, or a few with calls to the registry between them; never across."""
