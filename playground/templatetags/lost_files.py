"""What was wrong with the file of a video that was made and not saved. Templates say `{% load lost_files %}`."""

from django import template
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop as N_

register = template.Library()

WORDS = {
    "output_gone": N_("It was made, but the link to its file ended before we could save it."),
    "not_found": N_("It was made, but the gateway no longer knew it before we could save its file."),
    "output_missing": N_("It was made, but the gateway gave no file."),
    "output_type": N_("It was made, but what its link led to was no video."),
    "no_video": N_("It was made, but the file that came is no MP4 or WebM video."),
    "output_length": N_("It was made, but its file never had the length that the gateway told."),
    "output_empty": N_("It was made, but its file was empty."),
    "output_too_large": N_("It was made, but its file is larger than may be fetched."),
    "output_encoded": N_("It was made, but its file came packed, which videos may not be."),
    "output_redirects": N_("It was made, but the link to its file led in circles."),
    "output_place": N_("It was made, but the link to its file leads to a place that is not allowed."),
    "output_host": N_("It was made, but its file lies at a host that is not among those allowed here."),
    "output_bad": N_("It was made, but its host would not give out the file."),
    "download_broken": N_("It was made, but its file broke off on the way, every time."),
    "download_slow": N_("It was made, but its file came too slowly to be fetched in time."),
    "deadline": N_("It was made, but its file never came to an end."),
    "BadVideo": N_("It was made, but its file is damaged."),
    "not_playable": N_("It was made, but browsers do not play a file like the one that came."),
    "over_limits": N_("It was made, but it is larger or longer than can be shown here."),
    "saver_lost": N_("It was made, but saving its file was cut off again and again."),
    "disk_full": N_("It was made, but the disk here was full for too long to save it."),
    "media_store": N_("It was made, but the media store here was away for too long to save it."),
    "not_configured": N_("It was made, but the key of the gateway was missing for too long to save it."),
    "account_key": N_("It was made, but the gateway refused the key for too long to save it."),
}
"""Of one that is lost, by our own code of the last error (gateway/errors.py, media/boxes.py)."""

OF_ONE_TRY = {
    "output_gone": N_("the link to its file no longer worked"),
    "not_found": N_("the gateway did not know it"),
    "output_missing": N_("the gateway gave no file"),
    "output_type": N_("what its link led to was no video"),
    "no_video": N_("the file that came was no MP4 or WebM video"),
    "output_length": N_("its file did not have the length that the gateway told"),
    "output_empty": N_("its file was empty"),
    "output_too_large": N_("its file was larger than may be fetched"),
    "output_encoded": N_("its file came packed, which videos may not be"),
    "output_redirects": N_("the link to its file led in circles"),
    "output_place": N_("the link to its file led to a place that is not allowed"),
    "output_host": N_("its file lies at a host that is not among those allowed here"),
    "output_bad": N_("its host did not give out the file"),
    "download_broken": N_("its file broke off on the way"),
    "download_slow": N_("its file came too slowly"),
    "deadline": N_("its file did not come to an end in time"),
    "BadVideo": N_("the file that came was damaged"),
    "not_playable": N_("browsers do not play a file like the one that came"),
    "over_limits": N_("it was larger or longer than can be shown here"),
    "saver_lost": N_("whoever saved it was cut off"),
    "disk_full": N_("the disk here was full"),
    "media_store": N_("the media store here was away"),
    "not_configured": N_("the key of the gateway was missing"),
    "account_key": N_("the gateway refused the key"),
}
"""What was wrong at a single try, after which it is tried again: part of a sentence, by the same codes."""


@register.filter
def lost_file(code: str) -> str:
    """One sentence; of a code without words that the file could not be fetched in time."""
    return _(WORDS.get(code, N_("It was made, but its file could not be fetched in time.")))


@register.simple_tag
def may_have_been_charged() -> str:
    """Of a video that was made and lost where neither price nor cost is known: silence is no sign that it was free."""
    return _("It may have been charged: this gateway named no cost.")
