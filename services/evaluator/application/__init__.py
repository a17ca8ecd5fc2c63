"""Use cases of reports. No transaction is held across object storage or another service."""
