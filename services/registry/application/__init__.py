"""The registry's use cases: each in one transaction, none of which is held across object storage."""
