"""The tables. One noun a file; docs/architecture.md has the list."""

from playground.models.audit import AuditEntry
from playground.models.budget_request import BudgetRequest
from playground.models.canary import Canary
from playground.models.collection import Collection, CollectionItem
from playground.models.gateway import Dialect, Gateway, Lifecycle, TeamModel, VideoModel
from playground.models.generation import Event, Generation
from playground.models.ledger import Budget, EntryKind, LedgerEntry
from playground.models.notice import Notice
from playground.models.process import Heartbeat, Lease
from playground.models.rate import Rate
from playground.models.reconciliation import BalanceLook, Reconciliation, ReconciliationState
from playground.models.reference import GenerationReference, Reference
from playground.models.remark import Comment, Favourite
from playground.models.run import Run
from playground.models.share import ShareLink, ShareMark
from playground.models.team import Invitation, Membership, Role, SignInLink, Team
from playground.models.upload import UploadDay, UploadTotal
from playground.models.user import User
from playground.models.video import SearchDocument, Video
from playground.models.video_request import VideoRequest
from playground.models.visibility import Visibility
from playground.models.webhook import WebhookDelivery

__all__ = [
    "AuditEntry",
    "BalanceLook",
    "Budget",
    "BudgetRequest",
    "Canary",
    "Collection",
    "CollectionItem",
    "Comment",
    "Dialect",
    "EntryKind",
    "Event",
    "Favourite",
    "Gateway",
    "Generation",
    "GenerationReference",
    "Heartbeat",
    "Invitation",
    "Lease",
    "LedgerEntry",
    "Lifecycle",
    "Membership",
    "Notice",
    "Rate",
    "Reconciliation",
    "ReconciliationState",
    "Reference",
    "Role",
    "Run",
    "SearchDocument",
    "ShareLink",
    "ShareMark",
    "SignInLink",
    "Team",
    "TeamModel",
    "UploadDay",
    "UploadTotal",
    "User",
    "Video",
    "VideoModel",
    "VideoRequest",
    "Visibility",
    "WebhookDelivery",
]
