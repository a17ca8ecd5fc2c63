"""The gateway's interface under generated requests."""
