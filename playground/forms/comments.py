"""The form of a comment: words, and perhaps the moment of the video that they are about."""

from typing import Any

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from playground.domain import moments
from playground.models import Video
from playground.models.remark import COMMENT_LENGTH

BEYOND = 1000
"""A player's end lies a little after the last frame: so many milliseconds more are still taken, as the end."""


class LinesField(forms.CharField):
    """Browsers send two characters for the end of a line; it counts as one."""

    def to_python(self, value: Any) -> str:
        text = str(super().to_python(value))
        return text.replace("\r\n", "\n").replace("\r", "\n")


class CommentForm(forms.Form):
    text = LinesField(
        label=gettext_lazy("Comment"),
        max_length=COMMENT_LENGTH,
        strip=True,
        error_messages={
            "required": gettext_lazy("Write something first."),
            "max_length": gettext_lazy("At most %(limit_value)d characters; these are %(show_value)d."),
        },
    )
    at = forms.CharField(label=gettext_lazy("At"), max_length=20, required=False, strip=True)

    def __init__(self, data: QueryDict | None = None, *, video: Video) -> None:
        super().__init__(data)
        self.video = video

    def clean_at(self) -> int | None:
        text: Any = self.cleaned_data["at"]
        if not text:
            return None
        at = moments.parse(text)
        if at is None:
            raise forms.ValidationError(_("Write the moment as 0:03, or leave it empty."))
        if at > self.video.duration_ms + BEYOND:
            length = moments.written(self.video.duration_ms)
            raise forms.ValidationError(_("The video is only %(length)s long.") % {"length": length})
        return min(at, self.video.duration_ms)
