"""Asking the team for a video, and the answers."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from io import BytesIO
from threading import Barrier

import pytest
from django.db import connection
from django.utils import timezone
from PIL import Image

from playground.domain.status import Status
from playground.media import storage
from playground.models import Membership, Notice, Reference, Role, Run, UploadTotal, Video, VideoRequest, Visibility
from playground.services import estimates, few_of_one, goes_to, housekeeping, runs, stops, uploads, video_requests
from playground.services.run_errors import AnsweredMeanwhile, NotAllowed
from playground.services.video_requests import MOST_OPEN, AskedTooOften, NotYours
from tests import factories
from tests.bench import Bench, bench, sandbox  # noqa: F401  fixtures

pytestmark = pytest.mark.django_db


@pytest.fixture
def creator() -> Membership:
    return factories.make_member()


@pytest.fixture
def viewer(creator) -> Membership:
    return factories.make_member(team=creator.team, role=Role.VIEWER)


@pytest.fixture
def model():
    return factories.make_model(gateway=factories.make_gateway(is_default=True))


def ask(by, model, prompt="A fox", *, references=(), **more) -> VideoRequest:
    wanted = estimates.Wanted(model=model, size="1280x720", seconds=4, references=tuple(references))
    return video_requests.ask(by=by, wanted=wanted, prompt=prompt, **more)


def kinds(member: Membership) -> list[str]:
    return sorted(Notice.objects.visible_to(member).values_list("kind", flat=True))


def test_every_creator_and_the_admins_are_told_once_and_nobody_else(creator, viewer, model):
    admin = factories.make_member(team=creator.team, role=Role.ADMIN)
    other = factories.make_member(team=creator.team, role=Role.VIEWER)
    stranger = factories.make_member(role=Role.ADMIN)
    first = ask(viewer, model, note="For Friday")
    assert ask(viewer, model) == first
    told = [kinds(one) for one in (creator, admin, viewer, other, stranger)]
    assert told == [["video_asked"], ["video_asked"], [], [], []]
    assert "A fox" not in str(list(Notice.objects.values_list("data", flat=True)))


def test_open_requests_of_one_person_are_bounded(creator, viewer, model):
    for number in range(MOST_OPEN):
        ask(viewer, model, f"Fox {number}")
    with pytest.raises(AskedTooOften):
        ask(viewer, model, "One more fox")
    video_requests.take_back(by=viewer, request=VideoRequest.objects.first())
    assert ask(viewer, model, "One more fox").is_open


def test_answered_once_whoever_comes_second(creator, viewer, model):
    asked = ask(viewer, model)
    assert video_requests.decline(by=creator, request=asked, word="Too dear")
    assert not video_requests.decline(by=creator, request=asked)
    assert not video_requests.take_back(by=viewer, request=asked)
    asked.refresh_from_db()
    assert (asked.answer, asked.answered_by, asked.is_taken_back) == ("Too dear", creator.user, False)
    assert kinds(viewer) == ["video_answered"]


def test_only_who_may_make_it_answers_and_only_who_asked_takes_it_back(creator, viewer, model):
    asked, other = ask(viewer, model), factories.make_member(team=creator.team, role=Role.VIEWER)
    for by in (viewer, other):
        with pytest.raises(NotYours):
            video_requests.decline(by=by, request=asked)
    with pytest.raises(NotYours):
        video_requests.take_back(by=creator, request=asked)
    assert not video_requests.decline(by=factories.make_member(), request=asked)
    asked.refresh_from_db()
    assert asked.is_open


def test_what_was_taken_back_is_nobody_elses_to_see(creator, viewer, model):
    asked = ask(viewer, model)
    video_requests.take_back(by=viewer, request=asked)
    seen = [list(VideoRequest.objects.visible_to(one)) for one in (viewer, creator)]
    assert seen == [[asked], []]


def test_requests_of_who_left_the_team_wait_no_more(creator, viewer, model):
    ask(viewer, model)
    viewer.delete()
    assert not VideoRequest.objects.open().exists()
    assert video_requests.needed_references() == set()


def test_run_answers_it_and_is_the_teams_whatever_was_chosen(bench: Bench):  # noqa: F811
    viewer = factories.make_member(team=bench.membership.team, role=Role.VIEWER)
    asked = ask(viewer, bench.wanted().model)
    run = bench.start("A fox", visibility=Visibility.PRIVATE, answers=asked)
    asked.refresh_from_db()
    assert (asked.run, asked.answered_by, run.visibility) == (run, bench.membership.user, Visibility.TEAM)
    assert kinds(viewer) == ["video_answered"]
    assert goes_to.last_choice(bench.membership) == Visibility.TEAM
    with pytest.raises(AnsweredMeanwhile):
        bench.start("A fox", answers=asked)
    assert Run.objects.count() == 1


def test_same_press_twice_answers_it_once_and_gives_the_same_run(bench: Bench):  # noqa: F811
    asked = ask(factories.make_member(team=bench.membership.team, role=Role.VIEWER), bench.wanted().model)
    token = runs.new_token()
    assert bench.start("A fox", token=token, answers=asked) == bench.start("A fox", token=token, answers=asked)


def test_first_video_is_told_to_who_asked(creator, viewer, model):
    asked = ask(viewer, model)
    video = factories.make_video(by=creator, model=model, files=False)
    run = video.generation.run
    video_requests.made(by=creator, request=asked, run=run, now=timezone.now())
    for _again in range(2):
        video_requests.ready(video=video, run=run, now=timezone.now())
    assert kinds(viewer) == ["video_answered", "video_made"]


# --- pictures


def test_picture_is_its_owners_until_it_is_shown_with_a_request_or_a_run(creator, viewer, model):
    admin = factories.make_member(team=creator.team, role=Role.ADMIN)
    other = factories.make_member(team=creator.team, role=Role.VIEWER)
    picture = factories.make_reference(by=viewer)

    def seers() -> list[bool]:
        return [
            Reference.objects.visible_to(one).filter(id=picture.id).exists() for one in (viewer, creator, admin, other)
        ]

    assert seers() == [True, False, False, False]
    asked = ask(viewer, model, references=[picture])
    assert seers() == [True, True, True, False]
    assert not uploads.discard(by=viewer, reference=picture)
    video_requests.take_back(by=viewer, request=asked)
    assert seers() == [True, False, False, False]
    run = factories.make_run(by=creator, model=model)
    generation = factories.make_generation(run=run)
    factories.make_reference(by=creator, generation=generation, cut_from=picture)
    assert seers() == [True, True, True, True]
    Run.objects.update(visibility=Visibility.PRIVATE)
    assert seers() == [True, True, False, False]


def test_picture_of_an_open_request_is_kept(viewer, model):
    loose, asked_with = factories.make_reference(by=viewer), factories.make_reference(by=viewer, size=(32, 18))
    ask(viewer, model, references=[asked_with])
    Reference.objects.update(created_at=timezone.now() - timedelta(days=40))
    assert housekeeping._unused_uploads(now=timezone.now()) == 1
    assert list(Reference.objects.all()) == [asked_with]
    assert loose != asked_with


def test_viewers_pictures_are_bounded_until_something_is_asked_with_them(creator, viewer, model, monkeypatch):
    monkeypatch.setattr(uploads, "UPLOADS_OF_VIEWER", 1)
    first = factories.make_reference(by=viewer)
    with pytest.raises(uploads.ImageRefused, match="too_many"):
        uploads._check_number(viewer)
    uploads._check_number(creator)
    asked = ask(viewer, model, references=[first])
    uploads._check_number(viewer)
    video_requests.take_back(by=viewer, request=asked)
    with pytest.raises(uploads.ImageRefused, match="too_many"):
        uploads._check_number(viewer)


def png(shade: int) -> BytesIO:
    file = BytesIO()
    Image.new("RGB", (64, 64), (shade, 40, 40)).save(file, "PNG")
    return file


@pytest.mark.pure
@pytest.mark.parametrize("ending", ["taken back", "declined"])
def test_asking_and_ending_it_again_and_again_keeps_no_more_pictures(creator, viewer, model, monkeypatch, ending):
    monkeypatch.setattr(uploads, "UPLOADS_OF_VIEWER", 2)
    kept = []
    for number in range(5):
        picture = uploads.store(by=viewer, stream=png(number * 40))
        kept.append(picture)
        asked = ask(viewer, model, f"Fox {number}", references=[picture])
        if ending == "declined":
            assert video_requests.decline(by=creator, request=asked)
        else:
            assert video_requests.take_back(by=viewer, request=asked)
    assert list(Reference.objects.order_by("id")) == kept[-2:]
    assert [storage.exists(picture.key) for picture in kept] == [False] * 3 + [True] * 2
    assert UploadTotal.objects.get().stored_bytes == sum(picture.stored_bytes for picture in kept[-2:])
    assert VideoRequest.objects.count() == 5


def test_pictures_that_were_never_asked_with_and_those_in_use_make_no_room(creator, viewer, model, monkeypatch):
    monkeypatch.setattr(uploads, "UPLOADS_OF_VIEWER", 2)
    waiting, ordered = (uploads.store(by=viewer, stream=png(shade)) for shade in (0, 40))
    ask(viewer, model, references=[waiting])
    asked = ask(viewer, model, "Made", references=[ordered])
    loose, other = (uploads.store(by=viewer, stream=png(shade)) for shade in (80, 120))
    run = factories.make_run(by=creator, model=model)
    factories.make_reference(by=creator, generation=factories.make_generation(run=run), cut_from=ordered)
    video_requests.made(by=creator, request=asked, run=run, now=timezone.now())
    with pytest.raises(uploads.ImageRefused, match="too_many"):
        uploads.store(by=viewer, stream=png(160))
    assert Reference.objects.filter(id__in=[one.id for one in (waiting, ordered, loose, other)]).count() == 4


def test_picture_used_again_since_is_the_last_to_make_room(creator, viewer, model, monkeypatch):
    monkeypatch.setattr(uploads, "UPLOADS_OF_VIEWER", 2)
    first, second = (uploads.store(by=viewer, stream=png(shade)) for shade in (0, 40))
    video_requests.take_back(by=viewer, request=ask(viewer, model, references=[first, second]))
    assert uploads.store(by=viewer, stream=png(0)) == first
    third = uploads.store(by=viewer, stream=png(80))
    assert set(Reference.objects.all()) == {first, third}


@pytest.mark.django_db(transaction=True)
def test_viewer_who_puts_in_many_at_once_gets_exactly_the_limit(viewer, monkeypatch):
    monkeypatch.setattr(uploads, "UPLOADS_OF_VIEWER", 3)
    monkeypatch.setattr(few_of_one, "MOST", 8)
    monkeypatch.setattr(uploads, "_make_room", lambda by: None)  # all of them saw room, come as far as the transaction
    together = Barrier(8)

    def upload(shade: int) -> bool:
        together.wait(30)
        try:
            uploads.store(by=viewer, stream=png(shade * 30))
        except uploads.DecoderAway:
            raise
        except uploads.ImageRefused:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(8) as pool:
        kept = list(pool.map(upload, range(8)))
    assert kept.count(True) == 3 == Reference.objects.count()


# --- whose


def test_creator_stops_own_orders_only_and_an_admin_all_of_the_team(creator, viewer, model):
    admin = factories.make_member(team=creator.team, role=Role.ADMIN)
    colleague, stranger = factories.make_member(team=creator.team), factories.make_member(role=Role.ADMIN)
    for by, may in ((colleague, False), (viewer, False), (stranger, False), (creator, True), (admin, True)):
        row = factories.make_generation(by=creator, model=model, status=Status.QUEUED)
        assert stops.may_stop(by, row) is may
        if may:
            assert stops.cancel(by=by, generation=row)
        else:
            with pytest.raises(NotAllowed):
                stops.cancel(by=by, generation=row)


def test_private_is_part_of_what_was_asked_for_and_stays_with_one_more(bench: Bench):  # noqa: F811
    token = runs.new_token()
    run = bench.start("A fox", token=token, visibility=Visibility.PRIVATE)
    assert run.visibility == Visibility.PRIVATE
    with pytest.raises(runs.AlreadySent):
        bench.start("A fox", token=token)
    repeated = runs.again(
        by=bench.membership, generation=run.generations.get(), token=runs.new_token(), quoted_micros=10**9
    )
    assert repeated.visibility == Visibility.PRIVATE


def test_last_choice_is_that_of_the_last_press_not_of_a_repetition(creator, model):
    assert goes_to.last_choice(creator) == Visibility.TEAM
    mine = factories.make_generation(run=factories.make_run(by=creator, model=model, visibility=Visibility.PRIVATE))
    factories.make_generation(run=factories.make_run(by=creator, model=model), retry_of=mine)
    assert goes_to.last_choice(creator) == Visibility.PRIVATE
    assert goes_to.last_choice(factories.make_member(team=creator.team)) == Visibility.TEAM


def test_video_goes_where_its_run_goes_and_an_asked_one_is_told(bench: Bench):  # noqa: F811
    viewer = factories.make_member(team=bench.membership.team, role=Role.VIEWER)
    own = bench.start("A fox", visibility=Visibility.PRIVATE)
    bench.drive(own)
    assert Video.objects.get().visibility == Visibility.PRIVATE
    assert list(Video.objects.visible_to(viewer)) == []
    asked = ask(viewer, bench.wanted().model)
    run = bench.start("A fox", answers=asked)
    bench.drive(run)
    assert kinds(viewer) == ["video_answered", "video_made"]
    assert [video.generation.run for video in Video.objects.visible_to(viewer)] == [run]
