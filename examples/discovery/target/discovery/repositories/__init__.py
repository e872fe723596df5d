"""How rows are read and written: always inside the tenant of a request context."""
