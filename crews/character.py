"""What is an agent told about itself?

Written here, since CrewAI's own templates substitute braces in it and ask for
answers in prose. Loads no CrewAI: a replay writes the same texts.
"""

from __future__ import annotations

from wavecrew.plan.model import Role

SPECIALIST_RULES = """\
You work in a private copy of the repository and act only through tools; prose has no effect. \
Several calls in one answer run in order. Read before you change, keep to the write scope, \
run the checks before you end. Paths are relative to the repository's root."""
MANAGER_RULES = """\
You act only through tools; prose has no effect. Judge by evidence, not by what agents say of \
their work. You change no code: you find out what is wrong, who mends it, and report."""


def backstory(role: Role) -> str:
    """The role's backstory, then its skills."""
    skills = f" Skills: {', '.join(role.skills)}." if role.skills else ""
    return role.backstory.strip() + skills


def system_text(role: Role) -> str:
    """The system message: who the agent is, then the rules of the house."""
    rules = MANAGER_RULES if role.manager else SPECIALIST_RULES
    return f"You are {role.role}. {backstory(role)}\nYour goal: {role.goal}\n\n{rules}"
