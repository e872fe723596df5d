"""What spans several flows: duplicates, and what agents learn."""
