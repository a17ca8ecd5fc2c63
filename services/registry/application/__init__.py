"""The registry's use cases: each a sentence, in one transaction; no transaction is held across object storage."""
