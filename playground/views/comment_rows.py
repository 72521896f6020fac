"""Comments as a page shows them: with their moment in words and in an address, and whether they can be taken back."""

from dataclasses import dataclass

from playground.domain import moments
from playground.models import Comment, Membership, Video
from playground.services import comments


@dataclass(frozen=True, slots=True)
class CommentRow:
    comment: Comment
    may_remove: bool

    @property
    def at(self) -> str:
        """`0:03.2`; empty without a moment."""
        return "" if self.comment.at_ms is None else moments.written(self.comment.at_ms)

    @property
    def at_seconds(self) -> str:
        """`3.2`, for the address."""
        return "" if self.comment.at_ms is None else moments.fragment(self.comment.at_ms)


@dataclass(frozen=True, slots=True)
class Thread:
    rows: list[CommentRow]

    @property
    def stamp(self) -> str:
        """Another one as soon as a comment came, went or came back."""
        return f"{len(self.rows)}-{self.rows[-1].comment.id}" if self.rows else "0"


def thread(membership: Membership, video: Video) -> Thread:
    """Oldest first."""
    mine = membership.user_id
    return Thread([CommentRow(row, membership.is_admin or row.by_id == mine) for row in comments.of(video)])
