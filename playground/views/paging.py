"""Pages of a list ordered newest first, by the id of the last row shown: no repeat, no gap, as fast at any depth."""

from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from uuid import UUID

from django.db.models import Model, QuerySet
from django.http import QueryDict

RowType = TypeVar("RowType", bound=Model)


@dataclass(frozen=True, slots=True)
class Page(Generic[RowType]):
    rows: list[RowType]
    before: UUID | None
    """The cursor of the next page; None on the last one."""
    is_first: bool


def cursor(query: QueryDict, name: str = "before") -> UUID | None:
    """The id in `?before=`; None when it is absent or not an id, which shows the first page."""
    try:
        return UUID(query.get(name, ""))
    except ValueError:
        return None


def newest(rows: "QuerySet[RowType]", *, before: UUID | None, size: int) -> Page[RowType]:
    """At most `size` rows that are older than `before`, and whether there are more. One query."""
    ordered = rows.order_by("-id")
    if before is not None:
        ordered = ordered.filter(id__lt=before)
    found = list(ordered[: size + 1])
    last: Any = found[size - 1] if len(found) > size else None
    return Page(rows=found[:size], before=last.pk if last else None, is_first=before is None)
