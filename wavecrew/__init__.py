"""Wavecrew runs a written plan with a crew of agents and proves every step.

Importing this package costs nothing and touches nothing: no output, no disk,
no CrewAI. The command line lives in `wavecrew.cli`.
"""

__version__ = "0.1.0"
