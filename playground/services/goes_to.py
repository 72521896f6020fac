"""Where what a person makes goes when they have not said: as the last time they said it in this team."""

from django.db.models import Exists, OuterRef

from playground.models import Membership, Run, VideoRequest, Visibility


def last_choice(by: Membership) -> str:
    """Of a press of the form. What was only repeated, or made for somebody who asked, was no choice."""
    asked = Exists(VideoRequest.objects.filter(run=OuterRef("pk")))
    chosen = Run.objects.filter(~asked, team_id=by.team_id, created_by_id=by.user_id, generations__retry_of=None)
    found = chosen.order_by("-id").values_list("visibility", flat=True).first()
    return str(found or Visibility.TEAM)
