"""Reference images: stored at once when picked, shown to their owner and with what came of them."""

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from playground.forms.create import Draft
from playground.models import Reference, VideoModel
from playground.services import uploads
from playground.services.offers import Offers
from playground.services.uploads import DecoderAway, ImageRefused
from playground.views.access import MemberRequest, for_any_role
from playground.views.create_page import picture_context
from playground.views.limited import limited

LOOKED_AT_AGAIN_S = 5
"""Retry-After of a picture for which the decoder had no time or could not be started."""


@require_POST
@for_any_role
@limited("upload")
def upload(request: MemberRequest) -> HttpResponse:
    """Store the image in `reference`, or forget the chosen one with `remove`; answers with the field as it looks then.

    With neither, the field of the image in `reference_id` is drawn again, as after a reload. 422 with the reason beside
    the field when the image is refused, 503 when it could not be looked at: the picture chosen before stays.
    """
    draft = Draft.from_data(request.POST)
    offers = Offers(request.membership)
    model = offers.find(draft.model) or offers.preselected()
    reference = _chosen(request, draft)
    if "remove" in request.POST:
        if reference is not None:
            uploads.discard(by=request.membership, reference=reference)
        return _field(request, draft, model, None)
    file = request.FILES.get("reference")
    if reference is not None and not file:
        return _field(request, draft, model, reference)
    if not file or not file.size:
        return _field(request, draft, model, reference, error=_("No file arrived."))
    try:
        stored = uploads.store(by=request.membership, stream=file.file)  # type: ignore[arg-type]
    except ImageRefused as error:
        status = 503 if isinstance(error, DecoderAway) else 422
        return _field(request, draft, model, reference, error=error.message, status=status)
    return _field(request, draft.without_image(), model, stored)


def _chosen(request: MemberRequest, draft: Draft) -> Reference | None:
    try:
        return Reference.objects.visible_to(request.membership).filter(id=UUID(draft.reference_id)).first()
    except ValueError:
        return None


def _field(
    request: HttpRequest,
    draft: Draft,
    model: VideoModel | None,
    reference: Reference | None,
    *,
    error: str = "",
    status: int = 422,
) -> HttpResponse:
    takes = model.takes if model else None
    context = {
        "model": model,
        "takes": takes,
        **picture_context(reference, draft, takes),
        "errors": {"reference": error} if error else {},
    }
    response = render(request, "references/_field.html", context, status=status if error else 200)
    if response.status_code == 503:
        response.headers["Retry-After"] = str(LOOKED_AT_AGAIN_S)
    return response
