"""Everything that knows CrewAI; nothing else does. Importing this package imports no CrewAI."""
