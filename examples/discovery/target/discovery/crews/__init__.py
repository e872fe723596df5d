"""Crews: several roles that work through several tasks in order."""
