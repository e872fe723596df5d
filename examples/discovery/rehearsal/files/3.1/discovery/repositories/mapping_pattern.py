"""Mapping patterns: a tenant writes its own, and reads the shared ones beside them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import or_, select

from discovery.models.mapping_pattern import PATTERN_TYPES, MappingPattern
from discovery.repositories.context_aware import ContextAwareRepository

MOST_EXAMPLES = 10


class MappingPatternRepository(ContextAwareRepository[MappingPattern]):
    """What the base class reads, changes and deletes is the tenant's own only."""

    model = MappingPattern

    def get_active_patterns(
        self, target_fields: Sequence[str] | None = None
    ) -> list[MappingPattern]:
        """Own and shared active patterns, the surest first, then the most used, then by key.

        With `target_fields`, only the patterns for those; an empty list gives none.
        """
        statement = (
            select(MappingPattern)
            .where(MappingPattern.is_active.is_(True))
            .where(
                or_(
                    MappingPattern.client_account_id == self.context.client_account_id,
                    MappingPattern.client_account_id.is_(None),
                )
            )
            .order_by(
                MappingPattern.confidence_score.desc(),
                MappingPattern.usage_count.desc(),
                MappingPattern.pattern_key,
            )
        )
        if target_fields is not None:
            statement = statement.where(MappingPattern.target_field.in_(target_fields))
        return list(self.session.scalars(statement))

    def create_or_update_pattern(
        self,
        *,
        pattern_key: str,
        source_pattern: str,
        target_field: str,
        pattern_type: str,
        confidence: float = 0.5,
        example_values: Sequence[Any] = (),
        shared: bool = False,
    ) -> MappingPattern:
        """Write the pattern of that key: the tenant's own, or the one that is shared.

        An update keeps the counters and adds the new examples to the old ones.
        ValueError for an unknown type or a confidence that is not within 0 and 1.
        """
        if pattern_type not in PATTERN_TYPES:
            raise ValueError(f"no pattern type {pattern_type!r}; there are {PATTERN_TYPES}")
        if not 0 <= confidence <= 1:
            raise ValueError(f"a confidence is between 0 and 1, not {confidence}")
        owner = None if shared else self.context.client_account_id
        row = self._of(owner, pattern_key)
        if row is None:
            row = MappingPattern(
                client_account_id=owner, pattern_key=pattern_key, example_values=[]
            )
            self.session.add(row)
        row.source_pattern = source_pattern
        row.target_field = target_field
        row.pattern_type = pattern_type
        row.confidence_score = confidence
        row.example_values = _with_examples(row.example_values, example_values)
        self.session.flush()
        return row

    def _of(self, owner: str | None, pattern_key: str) -> MappingPattern | None:
        return self.session.scalars(
            select(MappingPattern)
            .where(MappingPattern.client_account_id.is_not_distinct_from(owner))
            .where(MappingPattern.pattern_key == pattern_key)
        ).one_or_none()


def _with_examples(known: Iterable[Any], new: Iterable[Any]) -> list[Any]:
    """Both without repetition, the first ones of at most `MOST_EXAMPLES`, as a new list."""
    examples = list(known)
    for value in new:
        if value not in examples:
            examples.append(value)
    return examples[:MOST_EXAMPLES]
