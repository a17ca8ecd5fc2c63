"""Messages to domain values and back. Only this package and `server` use generated code."""
