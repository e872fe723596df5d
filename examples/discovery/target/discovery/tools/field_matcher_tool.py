"""Which asset fields could a column name mean?"""

from __future__ import annotations

from discovery.agents.attribute_mapping import POSSIBLE, similarity
from discovery.agents.fields import CRITICAL_FIELDS, SECONDARY_FIELDS
from discovery.tools.registry import Tool


def match(column: str, limit: int = 3) -> list[tuple[str, float]]:
    """The likeliest fields with their scores (0 to 100), best first."""
    fields = {**CRITICAL_FIELDS, **SECONDARY_FIELDS}
    scored = [(field, similarity(column, field, synonyms)) for field, synonyms in fields.items()]
    likely = [(field, score) for field, score in scored if score >= POSSIBLE]
    return sorted(likely, key=lambda pair: -pair[1])[:limit]


TOOL = Tool("field_matcher", "Find the asset fields a column may mean.", "mapping", match)
