"""Readers of plans as people write them: one module per format, one common record.

A reader turns a document into an `ImportedPlan` and reports what the document
leaves open; it never guesses in silence. `detect` chooses the reader.
"""
