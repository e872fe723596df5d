"""Everything that knows CrewAI: how a role, a task and a model become an agent at work."""
