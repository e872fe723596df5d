"""The scripted model: an OpenAI-compatible server on loopback that plays answers from files.

Everything around it is real; only the model is a script. `docs/rehearsal.md`
tells the format.
"""
