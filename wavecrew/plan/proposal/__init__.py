"""From a plan that people wrote to the two files that a run reads.

What the document leaves open becomes a question beside the value that was
chosen for it; nothing is left out without one.
"""
