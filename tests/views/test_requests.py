"""Asking for a video on Create, and the page of what was asked for."""

import re

import pytest
from django.core.cache import cache
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from django.utils import timezone

from playground.domain.status import Status
from playground.models import (
    BudgetRequest,
    Gateway,
    Membership,
    Notice,
    Reference,
    Role,
    Run,
    Team,
    VideoRequest,
    Visibility,
)
from playground.services import budget_requests, estimates, video_requests
from tests import factories
from tests.views.test_create import priced, values

pytestmark = [pytest.mark.django_db, pytest.mark.pure]
INDEX = "/requests/"


@pytest.fixture(autouse=True)
def model(db):
    cache.clear()
    gateway = factories.make_gateway(slug="sandbox", is_default=True)
    made = factories.make_model("kling-v3", gateway=gateway, price_floor_micros=100_000)
    priced(made)
    return made


def text_of(answer) -> str:
    return " ".join(answer.content.decode().split())


def ask(by, model, prompt="A fox", *, references=(), **more) -> VideoRequest:
    wanted = estimates.Wanted(model=model, size="1280x720", seconds=4, references=tuple(references))
    return video_requests.ask(by=by, wanted=wanted, prompt=prompt, **more)


def asked_form(model, **more):
    return values(model, request="1", **more)


@pytest.mark.parametrize("htmx", [False, True])
def test_viewer_sees_a_button_that_asks_and_what_was_typed_becomes_a_request(viewer, model, browser_of, htmx):
    browser = browser_of(viewer, htmx=htmx)
    page = text_of(browser_of(viewer).get("/create/"))
    assert "Ask to make this" in page
    assert "Generate" not in page
    assert 'id="goes-to"' not in page
    picture = factories.make_reference(by=viewer)
    form = asked_form(model, note="For Friday", negative_prompt="", reference_id=str(picture.id))
    answer = browser.post("/create/", form)
    assert answer.status_code == 200
    assert "have been asked" in text_of(answer)
    [asked] = VideoRequest.objects.all()
    assert (asked.prompt, asked.note, list(asked.references.all())) == ("A fox in the snow", "For Friday", [picture])
    assert asked.settings["references"] == [str(picture.id)]
    assert f"request-{asked.id}" in text_of(answer)
    assert "A fox in the snow</textarea>" in answer.content.decode()
    assert "For Friday" not in answer.content.decode()
    assert not Run.objects.exists()


def test_what_cannot_be_asked_is_said_beside_its_field_and_nothing_is_lost(viewer, model, browser_of):
    answer = browser_of(viewer).post("/create/", asked_form(model, note="x" * 281))
    assert answer.status_code == 422
    assert 'id="note-error"' in text_of(answer)
    assert "Shorten it by 1." in text_of(answer)
    assert "x" * 281 in text_of(answer)
    assert browser_of(viewer).post("/create/", asked_form(model, prompt=" ")).status_code == 422
    for number in range(video_requests.MOST_OPEN):
        ask(viewer, model, f"Fox {number}")
    full = browser_of(viewer).post("/create/", asked_form(model, note="Kept"))
    assert full.status_code == 422
    assert "As many of your requests as can wait" in text_of(full)
    assert "Kept" in text_of(full)


def test_member_whose_right_changed_meanwhile_is_told_and_keeps_what_was_typed(member, viewer, model, browser_of):
    by_now = browser_of(member, htmx=True).post("/create/", asked_form(model))
    assert by_now.status_code == 422
    assert "You may make videos here by now. Nothing was asked." in text_of(by_now)
    assert "Generate - about" in text_of(by_now)
    demoted = browser_of(viewer, htmx=True).post("/create/", values(model))
    assert demoted.status_code == 422
    assert demoted.headers["HX-Retarget"] == "#create"
    assert "You may not make videos in this team any more." in text_of(demoted)
    assert "A fox in the snow</textarea>" in demoted.content.decode()
    assert not Run.objects.exists()
    assert not VideoRequest.objects.exists()


def test_request_opens_in_create_and_the_run_of_it_answers_it(member, viewer, model, browser_of):
    picture = factories.make_reference(by=viewer)
    asked = ask(viewer, model, "A fox in the snow", note="Soon", references=[picture])
    maker = browser_of(member)
    listed = text_of(maker.get(INDEX))
    assert f"/create/?ask={asked.id}" in listed
    assert reverse("media.reference_thumb", args=[picture.id]) in listed
    assert maker.get(reverse("media.reference_thumb", args=[picture.id])).status_code == 200
    page = text_of(maker.get(f"/create/?ask={asked.id}"))
    assert f'name="answers" value="{asked.id}"' in page
    assert f'name="reference_id" value="{picture.id}"' in page
    assert "Soon" in page
    assert 'type="hidden" name="visibility" value="team"' in page
    form = values(model, answers=str(asked.id), visibility="private")
    assert maker.post("/create/", form).status_code == 303
    assert maker.post("/create/", form).status_code == 303
    [run] = Run.objects.all()
    asked.refresh_from_db()
    assert (asked.run, run.visibility) == (run, Visibility.TEAM)
    [notice] = Notice.objects.filter(user=viewer.user)
    assert notice.kind == "video_answered"
    assert reverse("runs.detail", args=[run.id]) in text_of(browser_of(viewer).get("/notices/"))
    assert browser_of(viewer).get(reverse("runs.detail", args=[run.id])).status_code == 200


def test_press_for_a_request_that_somebody_answered_says_so_and_the_next_one_goes(
    member, admin, viewer, model, browser_of
):
    asked = ask(viewer, model, "A fox in the snow")
    form = values(model, answers=str(asked.id))
    video_requests.decline(by=admin, request=asked)
    late = browser_of(member).post("/create/", form)
    assert late.status_code == 422
    assert "was made, declined or taken back meanwhile" in text_of(late)
    assert 'name="answers"' not in text_of(late)
    assert not Run.objects.exists()
    assert browser_of(member).post("/create/", values(model)).status_code == 303


def short_of_money(member, model):
    Gateway.objects.filter(id=model.gateway_id).update(is_sandbox=False)
    Team.objects.filter(id=member.team_id).update(monthly_cap_micros=1)


def test_run_that_waited_for_more_money_answers_the_request_all_the_same(member, admin, viewer, model, browser_of):
    asked = ask(viewer, model, "A fox in the snow")
    short_of_money(member, model)
    browser = browser_of(member)
    assert "have been asked" in text_of(browser.post("/create/", values(model, ask="1", answers=str(asked.id))))
    waiting = BudgetRequest.objects.get()
    assert budget_requests.grant(by=admin, request=waiting, to=budget_requests.Raise(team_cap_micros=90_000_000))
    page = text_of(browser.get(f"/create/?request={waiting.id}"))
    assert f'name="answers" value="{asked.id}"' in page
    assert browser.post("/create/", values(model, answers=str(asked.id))).status_code == 303
    asked.refresh_from_db()
    assert asked.run == Run.objects.get()


def test_run_that_waited_for_more_money_is_offered_without_a_request_that_was_answered_meanwhile(
    member, admin, viewer, model, browser_of
):
    asked = ask(viewer, model, "A fox in the snow")
    short_of_money(member, model)
    browser_of(member).post("/create/", values(model, ask="1", answers=str(asked.id)))
    video_requests.decline(by=admin, request=asked)
    page = text_of(browser_of(member).get(f"/create/?request={BudgetRequest.objects.get().id}"))
    assert "A fox in the snow</textarea>" in page
    assert 'name="answers"' not in page


def test_htmx_press_takes_the_request_out_of_the_form(member, viewer, model, browser_of):
    asked = ask(viewer, model, "A fox in the snow")
    answer = browser_of(member, htmx=True).post("/create/", values(model, answers=str(asked.id)))
    assert '<div id="asked" hx-swap-oob="delete">' in text_of(answer)


def test_declining_tells_the_asker_with_the_word(member, viewer, model, browser_of):
    asked = ask(viewer, model)
    address = reverse("requests.decline", args=[asked.id])
    long = browser_of(member).post(address, {"note": "y" * 281})
    assert long.status_code == 422
    assert "y" * 281 in text_of(long)
    assert browser_of(member).post(address, {"note": "Too dear & late"}).status_code == 303
    assert "Too dear &amp; late" in text_of(browser_of(viewer).get("/notices/"))
    assert "Declined" in text_of(browser_of(viewer).get(INDEX))
    browser = browser_of(member)
    assert "answered already" in text_of(browser.post(address, follow=True))
    assert "Declined" in text_of(browser.get(INDEX + "?show=answered"))


def test_asker_sees_only_their_own_and_takes_it_back(member, viewer, model, browser_of):
    other = factories.make_member(team=member.team, role=Role.VIEWER)
    mine, theirs = ask(viewer, model, "Mine"), ask(other, model, "Theirs")
    page = text_of(browser_of(viewer).get(INDEX))
    assert "Mine" in page
    assert "Theirs" not in page
    assert "Decline" not in page
    back = reverse("requests.take_back", args=[mine.id])
    assert browser_of(viewer).post(reverse("requests.take_back", args=[theirs.id])).status_code == 404
    assert browser_of(member).post(back).status_code == 404
    assert browser_of(viewer).post(back).status_code == 303
    assert "Taken back" in text_of(browser_of(viewer).get(INDEX))
    assert "Mine" not in text_of(browser_of(member).get(INDEX + "?show=answered"))


@pytest.mark.parametrize("who", ["viewer", "stranger"])
def test_who_may_not_answer_gets_the_404_of_what_is_not_there(member, viewer, stranger, model, browser_of, who):
    asked = ask(viewer, model)
    browser = browser_of({"viewer": viewer, "stranger": stranger}[who])
    assert browser.post(reverse("requests.decline", args=[asked.id])).status_code == 404
    asked.refresh_from_db()
    assert asked.is_open
    if who == "stranger":
        assert "A fox" not in text_of(browser.get(f"/create/?ask={asked.id}"))
        assert browser.post(reverse("requests.take_back", args=[asked.id])).status_code == 404


def test_requests_of_a_removed_person_are_no_more_to_be_answered(member, viewer, model, browser_of):
    asked = ask(viewer, model)
    viewer.delete()
    assert "Nobody waits for an answer." in text_of(browser_of(member).get(INDEX))
    assert "not in the team any more" in text_of(browser_of(member).get(INDEX + "?show=answered"))
    assert browser_of(member).post("/create/", values(model, answers=str(asked.id))).status_code == 422


def test_empty_pages_say_what_comes_here(member, viewer, browser_of):
    assert "You have asked for nothing yet." in text_of(browser_of(viewer).get(INDEX))
    assert "Nobody waits for an answer." in text_of(browser_of(member).get(INDEX))
    assert "Nothing was answered yet." in text_of(browser_of(member).get(INDEX + "?show=answered"))


def test_notice_says_how_it_stands_by_now(member, viewer, model, browser_of):
    asked = ask(viewer, model)
    assert f"/create/?ask={asked.id}" in text_of(browser_of(member).get("/notices/"))
    video_requests.take_back(by=viewer, request=asked)
    page = text_of(browser_of(member).get("/notices/"))
    assert "It was taken back." in page
    assert "A fox" not in page


def test_made_video_is_told_and_shown(member, viewer, model, browser_of):
    asked = ask(viewer, model)
    video = factories.make_video(by=member, model=model)
    run = video.generation.run
    video_requests.made(by=member, request=asked, run=run, now=timezone.now())
    video_requests.ready(video=video, run=run, now=timezone.now())
    address = reverse("videos.detail", args=[video.id])
    assert address in text_of(browser_of(viewer).get("/notices/"))
    assert address in text_of(browser_of(viewer).get(INDEX))


def test_viewers_cards_and_pages_have_no_button_that_they_may_not_press(member, viewer, browser_of):
    video = factories.make_video(by=member)
    failed = factories.make_generation(by=member, status=Status.FAILED)
    waiting = factories.make_generation(by=member, status=Status.QUEUED)
    for row in (video.generation, failed, waiting):
        page = browser_of(viewer).get(reverse("runs.detail", args=[row.run_id])).content.decode()
        posts = set(re.findall(r'<form[^>]*action="([^"]+)"', page))
        assert posts <= {"/account/logout/"}
    assert "Ask for one more" in text_of(browser_of(viewer).get(reverse("videos.detail", args=[video.id])))


def test_creator_has_no_button_that_stops_somebody_elses_order(member, browser_of):
    row = factories.make_generation(by=member, status=Status.QUEUED)
    colleague = factories.make_member(team=member.team)
    address = reverse("generations.cancel", args=[row.id])
    assert address not in text_of(browser_of(colleague).get(reverse("runs.detail", args=[row.run_id])))
    assert address in text_of(browser_of(member).get(reverse("runs.detail", args=[row.run_id])))
    assert browser_of(colleague).post(address).status_code == 404
    row.refresh_from_db()
    assert row.state is Status.QUEUED


def test_viewer_uploads_for_asking_and_nobody_into_another_team(viewer, stranger, browser_of):
    data = factories._picture((64, 36), "PNG")

    def put(browser, **more):
        return browser.post("/references/", {"reference": SimpleUploadedFile("a.png", data, "image/png"), **more})

    assert put(browser_of(viewer)).status_code == 200
    [kept] = Reference.objects.all()
    assert kept.created_by == viewer.user
    assert put(browser_of(viewer), team=stranger.team.slug).status_code == 404


def test_poll_of_who_is_not_in_the_team_any_more_ends_quietly(member, browser_of):
    row = factories.make_generation(by=member, status=Status.RUNNING)
    browser = browser_of(member, htmx=True)
    address = f"/generations/cards/?g={row.id}:1"
    Membership.objects.filter(id=member.id).delete()
    gone = browser.get(address)
    assert gone.status_code == 200
    assert "data-over" in gone.content.decode()
    assert "hx-get" not in gone.content.decode()
    assert "HX-Trigger" not in gone.headers
    factories.make_member(user=member.user)
    moved = browser.get(address)
    assert "data-over" in moved.content.decode()
    assert "hx-get" not in moved.content.decode()
