"""Maps contracts to domain values and back; resource names and page tokens. Does not use the database."""
