"""The flows: what happens to a file from upload to approval."""
