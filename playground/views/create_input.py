"""What arrives at the Create page: the draft of an address or an earlier press, its picture, its parent."""

import dataclasses
from typing import Any
from uuid import UUID

from django.http import Http404, QueryDict
from django.utils.translation import gettext as _

from playground.forms.create import CreateForm, Draft
from playground.forms.drafts import tidy, whole
from playground.htmx import DRAFT_IN_SESSION
from playground.models import (
    BudgetRequest,
    Generation,
    Membership,
    Reference,
    Video,
    VideoModel,
    VideoRequest,
    Visibility,
)
from playground.services import cheaper, rates, uploads, video_requests
from playground.services.offers import Offers
from playground.services.uploads import ImageRefused
from playground.views.access import MemberRequest, is_of_another_team
from playground.views.create_page import EXAMPLES


class UploadedTooOften(Exception):
    """The limit of uploads, reached by a picture that came with the form. Nothing was stored."""

    def __init__(self, draft: Draft, seconds: int) -> None:
        super().__init__()
        self.draft, self.seconds = draft, seconds


def as_pressed(data: QueryDict) -> dict[str, str]:
    """The form as its button means it: "Make 1" carries its own price, and counts instead of the chip."""
    values = {name: str(value) for name, value in data.items()}
    return values | {"count": "1", "quoted_micros": values["only_one"]} if values.get("only_one") else values


def accepted(data: QueryDict, values: dict[str, Any]) -> dict[str, Any]:
    """What was accepted about the price: a sum confirmed once more, or so many videos without a known price."""
    return {
        "accept_unpriced": values["accept_unpriced"],
        "confirmed_micros": values["confirmed"],
        "confirmed_unpriced": whole(data.get("confirmed_unpriced", "")),
    }


def draft_of_link(request: MemberRequest) -> Draft:
    """What the address asks for, over what was kept from before signing in or from the last press."""
    given = Draft.from_data({name: value for name, value in request.GET.items() if name != "from"})
    base, person = Draft(), str(request.membership.user_id)
    source = _uuid(request.GET.get("from", ""))
    if source:
        generation = Generation.objects.visible_to(request.membership).filter(id=source).for_cards().first()
        base = Draft.from_generation(generation) if generation else base
    elif asked := _uuid(request.GET.get("request", "")):
        base = _asked_for(request.membership, asked) or base
    elif to_make := asked_of(request.membership, request.GET.get("ask", ""), is_open=False):
        base = _to_make(request.membership, to_make)
    elif given.parent:
        video = _parent(request.membership, given.parent)
        base = Draft.from_video(video) if video else base
        given = given if video else dataclasses.replace(given, parent="")
    elif DRAFT_IN_SESSION in request.session and not request.GET:
        kept = request.session.pop(DRAFT_IN_SESSION)
        base = Draft.from_data(kept) if kept.get("person", person) == person else base
    example = request.GET.get("example", "")
    if example in {str(number + 1) for number in range(len(EXAMPLES))}:
        given = dataclasses.replace(given, prompt=EXAMPLES[int(example) - 1])
    if request.GET.get("image") == "change":
        base = base.without_image()
    return with_route(request.membership, given.over(base))


def with_route(membership: Membership, draft: Draft) -> Draft:
    """A model given as `provider/slug` is that model asked of that provider, unless one is called so itself."""
    provider, separator, slug = draft.model.partition("/")
    if not separator:
        return draft
    offers = Offers(membership)
    if offers.find(draft.model) or not offers.find(slug):
        return draft
    return dataclasses.replace(draft, model=slug, route=draft.route or provider)


def with_choice(draft: Draft, choice: str) -> Draft:
    """The form after a cheaper choice, `seconds=4`, was pressed; what names no field of such stays without effect."""
    name, _separator, value = choice.partition("=")
    if name not in cheaper.FIELDS or not value:
        return draft
    values: dict[str, str] = {name: value} | ({"seconds_other": ""} if name == "seconds" else {})
    return dataclasses.replace(draft, **values)


def _asked_for(membership: Membership, id: UUID) -> Draft | None:
    """The run that an admin was asked for more money for; for who asked, and for admins. It answers the request that it
    was to answer while that is open.
    """
    asked = BudgetRequest.objects.select_related("model").filter(id=id, team_id=membership.team_id).first()
    if asked is None or not (membership.is_admin or asked.by_id == membership.user_id):
        return None
    to_make = asked_of(membership, str(asked.settings.get("answers", "")))
    draft = Draft.from_request(asked)
    return dataclasses.replace(draft, answers=_to_make(membership, to_make).answers) if to_make else draft


def asked_of(membership: Membership, text: str, *, is_open: bool = True) -> VideoRequest | None:
    """What somebody asks the team for, for those who may make it and, once answered too, for who asked."""
    id = _uuid(text)
    if id is None:
        return None
    rows = VideoRequest.objects.visible_to(membership)
    return (rows.open() if is_open else rows).select_related("by", "model", "team").filter(id=id).first()


def _to_make(membership: Membership, request: VideoRequest) -> Draft:
    """Pressed by somebody else than who asked, it answers the request while that is open."""
    answers = membership.may_create and request.is_open and request.by_id != membership.user_id
    draft = Draft.from_request(request)
    note = "" if membership.may_create else request.note
    return dataclasses.replace(draft, answers=str(request.id) if answers else "", note=note)


def with_answers(
    membership: Membership, draft: Draft, errors: dict[str, str], *, token: str
) -> tuple[Draft, VideoRequest | None]:
    """The request that this run is to answer. One that was answered by another run is said, and not paid for twice."""
    id = _uuid(draft.answers)
    rows = VideoRequest.objects.visible_to(membership).filter(id__in=[id] if id else []).exclude(by=membership.user_id)
    if not draft.answers or not membership.may_create:
        return dataclasses.replace(draft, answers=""), None
    request = (rows.open() | rows.filter(run__submit_token=token)).select_related("by", "team").first()
    if request is None:
        draft = dataclasses.replace(draft, answers="")
        errors["answers"] = answered_words()
    return draft, request


def answered_words() -> str:
    return _("What was asked for was made, declined or taken back meanwhile. Press again to make it all the same.")


def note_errors(data: QueryDict) -> dict[str, str]:
    over = len(tidy(data.get("note", "")).strip()) - video_requests.NOTE_MOST
    if over <= 0:
        return {}
    words = _("At most %(most)d characters. Shorten it by %(over)d.")
    return {"note": words % {"most": video_requests.NOTE_MOST, "over": over}}


def visibility_of(draft: Draft) -> str:
    """A form that does not say it, as of an earlier version or a script, is for the team."""
    return Visibility.PRIVATE if draft.visibility == Visibility.PRIVATE else Visibility.TEAM


def with_upload(request: MemberRequest, draft: Draft) -> tuple[Draft, str]:
    """Store the file that came with the form, as browsers without scripts send it. Raises UploadedTooOften."""
    upload = request.FILES.get("reference")
    if not upload or not upload.size:
        return draft, ""
    if is_of_another_team(request):
        raise Http404("of another team")
    if seconds := rates.take("upload", str(request.membership.user_id)):
        raise UploadedTooOften(draft, seconds)
    try:
        stored = uploads.store(by=request.membership, stream=upload.file)  # type: ignore[arg-type]
    except ImageRefused as error:
        return draft, error.message
    return dataclasses.replace(draft.without_image(), reference_id=str(stored.id)), ""


def reference_of(membership: Membership, text: str) -> Reference | None:
    reference_id = _uuid(text)
    return Reference.objects.visible_to(membership).filter(id=reference_id).first() if reference_id else None


def _parent(membership: Membership, text: str) -> Video | None:
    video_id = _uuid(text)
    return Video.objects.visible_to(membership).kept().filter(id=video_id).first() if video_id else None


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def with_parent(membership: Membership, draft: Draft, errors: dict[str, str]) -> tuple[Draft, Video | None]:
    """The video that the new one is made from. One that is gone, or was never there, is said and left out."""
    parent = _parent(membership, draft.parent)
    if draft.parent and parent is None:
        draft = dataclasses.replace(draft, parent="")
        errors["parent"] = _("The video that this was to be made from is not here any more. Press again without it.")
    return draft, parent


def errors_of(form: CreateForm, model: VideoModel, reference: Reference | None, image_error: str) -> dict[str, str]:
    """The first message of each field."""
    form.is_valid()
    errors = {name: str(messages[0]) for name, messages in form.errors.items()}
    if image_error:
        errors["reference"] = image_error
    elif model.takes.needs_reference and reference is None:
        errors["reference"] = _("This model needs a reference image.")
    elif reference is not None and not model.takes.image_to_video:
        errors["reference"] = _("%(model)s takes no reference image. Remove it, or choose another model.") % {
            "model": model.slug
        }
    return errors
