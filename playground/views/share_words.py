"""What a share link is, in words."""

from datetime import datetime

from django.utils import formats, timezone
from django.utils.translation import gettext as _

from playground.models import Membership, ShareLink


def sentence(link: ShareLink, by: Membership) -> str:
    """`Link for Client A: video only, no prompt, no cost, ends 28 November.`"""
    return _("Link for %(name)s: %(terms)s.") % {"name": link.name, "terms": ", ".join([*terms(link, by), end(link)])}


def terms(link: ShareLink, by: Membership) -> list[str]:
    """What it shows and takes. Prompt and cost are named also where they are off: those are what one fears for. Cost
    is no word for who does not see spend: there is no switch for it on their forms either.
    """
    if link.collection_id:
        thing = _("collection with download") if link.allows_download else _("collection only")
    else:
        thing = _("video with download") if link.allows_download else _("video only")
    words = [
        thing,
        _("prompt") if link.shows_prompt else _("no prompt"),
    ]
    if by.may_see_spend:
        words.append(_("cost") if link.shows_cost else _("no cost"))
    if link.takes_marks:
        words.append(_("favourites and notes"))
    if link.has_previews and not link.password:
        words.append(_("previews in messengers"))
    if link.password:
        words.append(_("password"))
    return words


def end(link: ShareLink) -> str:
    return _("ends %(day)s") % {"day": day(link.expires_at)} if link.expires_at else _("never ends")


def day(moment: datetime) -> str:
    """`28 November`, with the year when it is another than now."""
    local, now = timezone.localtime(moment), timezone.localtime()
    return formats.date_format(local, "j F" if local.year == now.year else "j F Y")


def ended(link: ShareLink) -> str:
    """Why an ended link ended: `revoked 21 November`."""
    if link.revoked_at:
        return _("revoked %(day)s") % {"day": day(link.revoked_at)}
    if link.expires_at and link.expires_at <= timezone.now():
        return _("ended %(day)s") % {"day": day(link.expires_at)}
    return _("its maker may not share any more")
