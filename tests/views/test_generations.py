"""The refresh of cards and their buttons."""

import re
from datetime import timedelta

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from playground.domain.status import ACTIVE, PARKED, Status
from playground.models import Gateway, Generation, Run
from playground.services import estimates, runs
from playground.services.estimates import Quote, QuoteState
from playground.views.cards import cards_of, stamps_of
from playground.views.generations import _why_not
from tests.factories import make_gateway, make_generation, make_member, make_model, make_video
from tests.views.conftest import MemberClient

pytestmark = [pytest.mark.django_db, pytest.mark.pure]
HTMX = {"HX-Request": "true", "HX-Current-URL": "http://testserver/create/"}


@pytest.fixture
def member():
    return make_member()


@pytest.fixture
def client(member):
    client = MemberClient()
    client.team = member.team.slug
    client.force_login(member.user)
    return client


def ask(client, *pairs):
    return client.get("/generations/cards/", {"g": ",".join(f"{row.id}:{stamp}" for row, stamp in pairs)}, headers=HTMX)


def test_nothing_new_is_answered_without_a_body(client, member):
    row = make_generation(by=member, status=Status.RUNNING)
    assert ask(client, (row, row.version)).status_code == 204


def test_only_the_card_that_changed_is_sent(client, member):
    same = make_generation(by=member, status=Status.RUNNING)
    other = make_generation(by=member, status=Status.RUNNING, version=3)
    html = ask(client, (same, same.version), (other, 2)).content.decode()
    assert f'id="job-{other.id}"' in html
    assert f'id="job-{same.id}"' not in html
    assert '>2<span class="pill__word"> running' in html
    assert " data-active" in html


def test_when_all_have_ended_the_answer_polls_no_more(client, member):
    row = make_generation(by=member, status=Status.FAILED, version=5)
    html = ask(client, (row, 4)).content.decode()
    assert "Failed" in html
    assert "data-active" not in html


def test_cards_of_another_team_are_not_shown(client):
    foreign = make_generation(by=make_member(), status=Status.RUNNING)
    assert str(foreign.id) not in ask(client, (foreign, 0)).content.decode()
    assert client.post(f"/generations/{foreign.id}/cancel/").status_code == 404
    assert client.post(f"/generations/{foreign.id}/again/").status_code == 404


def test_cancelling_before_it_is_sent_is_free_and_says_so(client, member):
    row = make_generation(by=member, status=Status.QUEUED)
    html = client.post(f"/generations/{row.id}/cancel/", headers=HTMX).content.decode()
    assert "Cancelled before it was sent. Not charged." in html
    assert Generation.objects.get(id=row.id).status == Status.CANCELLED


def test_cancel_after_finish_changes_nothing(client, member):
    row = make_generation(by=member, status=Status.FAILED)
    client.post(f"/generations/{row.id}/cancel/")
    assert Generation.objects.get(id=row.id).status == Status.FAILED


def test_nonsense_in_the_question_is_left_out(client):
    assert client.get("/generations/cards/?g=abc,:,x:1", headers=HTMX).status_code == 200


def test_a_back_address_of_another_site_is_not_followed(client, member):
    row = make_generation(by=member, status=Status.FAILED)
    answer = client.post(f"/generations/{row.id}/cancel/", {"next": "https://evil.example/"})
    assert answer.headers["Location"] == "/create/"


def test_stamps_of_the_narrow_read_are_those_of_the_drawn_cards(member):
    now = timezone.now()
    for status in Status:
        for ago in (timedelta(seconds=5), timedelta(hours=1)):
            make_generation(by=member, status=status, version=3, sent_at=now - ago, submitted_at=now - ago)
    rows = Generation.objects.order_by("-id")
    drawn = {card.generation.id: card.stamp for card in cards_of(rows.for_cards(), by=member, now=now)}
    assert {row.generation.id: row.stamp for row in stamps_of(rows.for_stamps(), now=now)} == drawn
    assert {stamp.endswith("l") for stamp in drawn.values()} == {True, False}


def test_pausing_the_gateway_changes_the_stamp_of_what_waits_for_it_and_of_nothing_else(member):
    waits = make_generation(by=member, status=Status.QUEUED)
    make_generation(run=waits.run, status=Status.RUNNING)
    rows, now = Generation.objects.order_by("-id"), timezone.now()

    def stamps():
        narrow = {row.generation.id: row.stamp for row in stamps_of(rows.for_stamps(), now=now)}
        assert narrow == {card.generation.id: card.stamp for card in cards_of(rows.for_cards(), by=member, now=now)}
        return narrow

    before = stamps()
    Gateway.objects.update(paused_reason="maintenance")
    after = stamps()
    assert {row for row in after if after[row] != before[row]} == {waits.id}
    Gateway.objects.update(paused_reason="")
    assert stamps() == before


@pytest.mark.parametrize("count", [1, 20])
def test_unchanged_refresh_reads_no_more_for_many_cards_than_for_one(client, member, count, django_assert_num_queries):
    """Session, person, membership, the rows, the model's usual time; nobody's watching is written anew."""
    model = make_model()
    viewed = {"viewed_at": timezone.now()}
    rows = [make_generation(by=member, model=model, status=Status.RUNNING, **viewed) for _ in range(count)]
    with django_assert_num_queries(5):
        assert ask(client, *((row, row.version) for row in rows)).status_code == 204


def test_refresh_notes_that_somebody_watches_once_in_five_seconds(client, member, django_assert_num_queries):
    row = make_generation(by=member, status=Status.RUNNING, version=1)
    ask(client, (row, 1))
    first = Generation.objects.get(id=row.id)
    assert timezone.now() - first.viewed_at < timedelta(seconds=5)
    assert first.next_check_at < row.next_check_at
    ask(client, (row, 1))
    assert Generation.objects.get(id=row.id).viewed_at == first.viewed_at


@pytest.mark.parametrize("status", [Status.CANCELLED, Status.EXPIRED])
def test_card_whose_late_result_may_come_is_asked_for_at_a_calm_pace(client, member, status):
    row = make_generation(by=member, status=status, version=2, next_check_at=timezone.now() + timedelta(minutes=1))
    html = ask(client, (row, 1)).text
    assert "data-calm" in html[: html.index("<article")]
    assert f"{row.id}:2" in html[: html.index("<article")]
    assert "data-active" not in html
    assert "stripe" not in html
    assert ask(client, (row, 2)).status_code == 204


def test_unclear_card_is_asked_for_at_a_calm_pace(client, member):
    row = make_generation(by=member, status=Status.UNKNOWN, version=2)
    assert ask(client, (row, 2)).status_code == 204


@pytest.mark.parametrize("status", sorted(set(Status) - ACTIVE - PARKED))
def test_card_of_which_no_news_can_come_is_not_asked_for(client, member, status):
    row = make_generation(by=member, status=status, version=2, next_check_at=None)
    html = ask(client, (row, 1)).text
    assert "data-calm" not in html
    assert "data-active" not in html
    assert str(row.id) not in html[: html.index("<article")]


def test_late_result_comes_to_the_page_without_a_reload(client, member):
    row = make_generation(by=member, status=Status.EXPIRED, version=2, next_check_at=timezone.now())
    Generation.objects.filter(id=row.id).update(status=Status.COMPLETED, version=3, deadline_at=timezone.now())
    html = ask(client, (row, 2)).text
    assert f'id="job-{row.id}"' in html
    assert "data-active" in html[: html.index("<article")]


def test_cards_of_another_of_ones_teams_are_left_out_where_some_are_of_the_team_at_hand(client, member):
    elsewhere = make_generation(by=make_member(user=member.user), status=Status.RUNNING, version=5)
    here = make_generation(by=member, status=Status.RUNNING, version=5)
    html = ask(client, (elsewhere, 1), (here, 1)).text
    assert f'id="job-{here.id}"' in html
    assert str(elsewhere.id) not in html
    assert '>1<span class="pill__word"> running' in html


def test_page_of_another_of_ones_teams_keeps_its_cards_fresh(client, member):
    elsewhere = make_generation(by=make_member(user=member.user), status=Status.RUNNING, version=5)
    assert f'id="job-{elsewhere.id}"' in ask(client, (elsewhere, 1)).text
    assert ask(client, (elsewhere, 5)).status_code == 204


def test_refresh_of_a_former_member_shows_nothing(member):
    row = make_generation(by=make_member(), status=Status.RUNNING, version=5)
    other = Client()
    other.force_login(member.user)
    assert str(row.id) not in ask(other, (row, 1)).text


@pytest.fixture
def made(member):
    """A finished video, and a price for one more."""
    model = make_model(gateway=make_gateway(slug="sandbox", is_default=True))
    wanted = estimates.Wanted(model=model, size="1280x720", seconds=4)
    answer = {"state": "estimated", "unit_micros": 400_000, "checked_at": timezone.now().timestamp()}
    cache.set(estimates._key(wanted), answer, 60)
    return make_video(by=member, model=model, files=False).generation


def token_in(html, generation):
    """The token of the button on the card of `generation`."""
    card = html[html.index(f'<article id="job-{generation.id}"') :]
    return re.search(r'name="token" value="([^"]+)"', card)[1]


def press(client, generation, token):
    fields = {"token": token, "quoted_micros": "400000"}
    answer = client.post(f"/generations/{generation.id}/again/", fields, headers=HTMX)
    assert answer.status_code == 200
    return answer.text


def test_one_more_pressed_on_purpose_twice_is_two_orders(client, made):
    first = press(client, made, token_in(client.get("/create/").text, made))
    assert Run.objects.count() == 2
    pressed = first[first.index(f'<article id="job-{made.id}"') :]
    assert 'hx-swap-oob="outerMorph"' in pressed[: pressed.index(">")]
    press(client, made, token_in(first, made))
    assert Run.objects.count() == 3


@pytest.mark.parametrize("place", ["/gallery/", "/videos/{}/"])
def test_going_back_and_pressing_again_says_that_it_was_ordered_and_the_next_press_is_another(client, made, place):
    page = place.format(made.video.id)

    def order(token):
        fields = {"token": token, "quoted_micros": "400000"}
        return client.post(f"/generations/{made.id}/again/", fields, headers={"Referer": f"http://testserver{page}"})

    def token_of_page():
        return re.search(r'name="token" value="([^"]+)"', client.get(page).text)[1]

    stale = token_of_page()
    order(stale)
    assert "ordered already" not in client.get(page).text
    Run.objects.filter(submit_token=stale).update(created_at=timezone.now() - timedelta(minutes=2))
    assert order(stale).headers["Location"] == f"http://testserver{page}"
    assert "This was ordered already, at" in client.get(page).text
    assert Run.objects.count() == 2
    order(token_of_page())
    assert Run.objects.count() == 3


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (runs.SpendingClosed(Quote(QuoteState.ESTIMATED, 1, 4, is_paused=True)), "Spending is paused."),
        (runs.SpendingClosed(Quote(QuoteState.ESTIMATED, 1, 4)), "Spending is paused."),
        (runs.SpendingClosed(Quote(QuoteState.ESTIMATED, 1, 4, lacks_limits=True)), "An admin must first set limits."),
        (runs.OverBudget(Quote(QuoteState.ESTIMATED, 1, 4)), "It does not fit into the limit."),
        (runs.StorageFull(1024), "The server has too little disk space."),
    ],
)
def test_a_press_that_nothing_here_can_mend_says_what_is_in_the_way(error, words):
    said = _why_not(error)
    assert said.startswith(words)
    assert "Nothing was sent." in said
    assert "press again" not in said


@pytest.mark.parametrize("headers", [{}, HTMX])
def test_one_more_that_finds_the_line_full_leads_to_create_which_says_so(client, member, made, settings, headers):
    make_generation(by=member, model=made.model, status=Status.QUEUED)
    settings.WAITING_PER_MEMBER = 1
    before = Run.objects.count()
    fields = {"token": token_in(client.get("/create/").text, made), "quoted_micros": "400000"}

    answer = client.post(f"/generations/{made.id}/again/", fields, headers=headers)

    to = answer.headers["HX-Redirect" if headers else "Location"]
    assert to.startswith("/create/?")
    assert "1 of your videos waits to be sent; at most 1 may. Nothing was sent." in client.get(to).text
    assert Run.objects.count() == before


def test_the_same_press_sent_twice_is_one_order_whose_card_is_never_there_twice(client, made):
    token = token_in(client.get("/create/").text, made)
    press(client, made, token)
    repeated = press(client, made, token)
    (new,) = Generation.objects.exclude(id=made.id)
    taken, _, put = repeated.partition(f'<article id="job-{new.id}"')
    assert f'<div id="job-{new.id}" hx-swap-oob="delete">' in taken
    assert f'id="job-{new.id}"' not in put
