"""The base of all repositories: every query is limited to the tenant of the context.

Repositories flush and never commit; the caller owns the transaction.
"""

from __future__ import annotations

from typing import Any, ClassVar, Generic, TypeVar

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from discovery.core.context import RequestContext
from discovery.models.base import Base

ModelT = TypeVar("ModelT", bound=Base)


class ContextAwareRepository(Generic[ModelT]):
    """Reads and writes rows of `model` that belong to the context's tenant.

    A table with a `client_account_id` is limited to the client, one with an
    `engagement_id` also to the engagement when the context names one. Both are
    set on every row that is created here.
    """

    model: ClassVar[type[Base]]

    def __init__(self, session: Session, context: RequestContext) -> None:
        """ValueError when the context names no client: there is no query without a tenant."""
        if not context.client_account_id:
            raise ValueError(f"{type(self).__name__} needs a context with a client_account_id")
        self.session = session
        self.context = context

    def get_by_id(self, row_id: str) -> ModelT | None:
        """None when there is no such row, or when it is another tenant's."""
        return self.session.scalars(self._select().where(self._column("id") == row_id)).first()

    def get_all(self) -> list[ModelT]:
        return list(self.session.scalars(self._select()))

    def get_by_filters(self, **filters: Any) -> list[ModelT]:
        """Rows whose columns equal the given values."""
        return list(self.session.scalars(self._filtered(self._select(), filters)))

    def count(self, **filters: Any) -> int:
        rows = self._filtered(self._select(), filters).subquery()
        return self.session.scalar(select(func.count()).select_from(rows)) or 0

    def create(self, **values: Any) -> ModelT:
        row = self.model(**values, **self._tenant())
        self.session.add(row)
        self.session.flush()
        return row  # type: ignore[return-value]

    def update(self, row_id: str, **values: Any) -> ModelT | None:
        """Set columns of a row of this tenant; None when there is no such row."""
        row = self.get_by_id(row_id)
        if row is None:
            return None
        for name, value in values.items():
            setattr(row, name, value)
        self.session.flush()
        return row

    def delete(self, row_id: str) -> bool:
        """False when there is no such row in this tenant."""
        row = self.get_by_id(row_id)
        if row is None:
            return False
        self.session.delete(row)
        self.session.flush()
        return True

    def _select(self) -> Select[Any]:
        statement = select(self.model)
        for name, value in self._tenant().items():
            statement = statement.where(self._column(name) == value)
        return statement

    def _filtered(self, statement: Select[Any], filters: dict[str, Any]) -> Select[Any]:
        for name, value in filters.items():
            if name in self.model.__table__.columns:
                statement = statement.where(self._column(name) == value)
        return statement

    def _tenant(self) -> dict[str, str]:
        """The tenant columns that the table has, with the context's values."""
        wanted = {
            "client_account_id": self.context.client_account_id,
            "engagement_id": self.context.engagement_id,
        }
        columns = self.model.__table__.columns
        return {name: value for name, value in wanted.items() if value and name in columns}

    def _column(self, name: str) -> Any:
        return getattr(self.model, name)
