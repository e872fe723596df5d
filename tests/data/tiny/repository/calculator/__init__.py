"""Arithmetic on lists of numbers."""
