"""Small pure functions that agents and crews ask for by name."""
