"""A recorded run, run again from its journals: no model, no network, no CrewAI.

Lives beside the agents because it does what they do, through the same tools
and the engine's own landing code, in a scratch world that is thrown away.
`python -P -m crews.replay` is its process; nothing in here imports CrewAI.
"""
