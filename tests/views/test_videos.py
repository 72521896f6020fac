"""One video: what its page says, its family and neighbours, the title, the trash."""

import pytest
from django.urls import reverse
from django.utils import timezone

from playground.models import Lifecycle, Video
from tests import factories

pytestmark = pytest.mark.pure


def page_of(client, video, query="") -> str:
    answer = client.get(reverse("videos.detail", args=[video.id]) + query)
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


def test_page_has_a_native_player_and_the_facts(member, browser_of):
    run = factories.make_run(by=member, settings={"size": "160x96", "seconds": 1, "seed": 0, "negative_prompt": "rain"})
    video = factories.make_video(by=member, generation=factories.make_generation(run=run, cost_micros=380_000))
    page = page_of(browser_of(member), video)
    assert f'src="/media/videos/{video.id}/"' in page
    assert f'poster="/media/videos/{video.id}/poster/"' in page
    assert "<dt>Seed</dt><dd hx-ignore>0</dd>" in page
    assert "rain" in page
    assert video.sha256 in page
    assert "about $0.40" in page
    assert "$0.38" in page
    assert "Asked for" not in page


def test_asked_against_got_is_said_when_they_differ(member, browser_of):
    run = factories.make_run(by=member, settings={"size": "1920x1080", "seconds": 8})
    video = factories.make_video(
        by=member, files=False, generation=factories.make_generation(run=run), size=(1280, 720), duration_ms=6000
    )
    assert "Asked for 1080p, 8 s. Got 720p, 6.0 s." in page_of(browser_of(member), video)


def test_cost_that_is_not_known_is_never_shown_as_zero(member, browser_of):
    generation = factories.make_generation(by=member, estimate_micros=None)
    page = page_of(browser_of(member), factories.make_video(by=member, files=False, generation=generation))
    assert "not given" in page
    assert "not reported" in page
    assert "$0.00" not in page


def test_family_shows_parent_siblings_and_children_of_this_team_only(member, stranger, browser_of):
    parent = factories.make_video(by=member, files=False)
    run = factories.make_run(by=member, parent_video=parent)
    video, sibling = (
        factories.make_video(by=member, files=False, generation=factories.make_generation(run=run)) for _ in range(2)
    )
    child = factories.make_video(by=member, files=False, parent_video=video)
    alien = factories.make_video(by=stranger, files=False, parent_video=video)
    trashed = factories.make_video(by=member, files=False, parent_video=video, trashed_at=timezone.now())
    page = page_of(browser_of(member), video)
    family = page[page.index('id="family"') : page.index("</ul>", page.index('id="family"'))]
    for relative in (parent, video, sibling, child):
        assert str(relative.id) in family
    for other in (alien, trashed):
        assert str(other.id) not in page


def test_neighbours_follow_the_filters_of_the_gallery(member, browser_of):
    kling = factories.make_model("kling")
    older = factories.make_video(by=member, files=False, model=kling)
    factories.make_video(by=member, files=False, model=factories.make_model("other"))
    video = factories.make_video(by=member, files=False, model=kling)
    page = page_of(browser_of(member), video, "?model=kling")
    assert f'data-older href="/videos/{older.id}/?model=kling"' in page
    assert "data-newer" not in page


def test_history_tells_events_in_words(member, browser_of):
    generation = factories.make_generation(by=member)
    factories.make_event(generation, "submitted")
    factories.make_event(generation, "stop_requested", by=member.user)
    factories.make_event(generation, "something_new")
    page = page_of(browser_of(member), factories.make_video(by=member, files=False, generation=generation))
    assert "Taken by the gateway" in page
    assert f"by {member.user.name}" in page
    assert "Something new" in page


@pytest.mark.parametrize(("lifecycle", "has_price"), [(Lifecycle.LIVE, True), (Lifecycle.RETIRED, False)])
def test_page_has_one_way_to_its_settings(member, browser_of, lifecycle, has_price):
    video = factories.make_video(by=member, files=False, model=factories.make_model(lifecycle=lifecycle))
    page = page_of(browser_of(member), video)
    assert ("One more - about $0.40" in page) == has_price
    assert page.count("Reuse settings") == 1


def test_import_without_a_generation_has_a_page(member, browser_of):
    video = factories.make_video(by=member, files=False)
    Video.objects.filter(id=video.id).update(generation=None, owner=None, prompt="", settings={})
    page = page_of(browser_of(member), video)
    assert "Untitled" in page
    assert "One more" not in page
    assert browser_of(member).get("/gallery/").status_code == 200


def test_title_is_changed_in_place(member, browser_of):
    video = factories.make_video(by=member, files=False)
    answer = browser_of(member, htmx=True).post(
        reverse("videos.rename", args=[video.id]), {"title": "  Harbour, take 3 "}
    )
    video.refresh_from_db()
    assert video.title == "Harbour, take 3"
    assert answer.status_code == 200
    assert "Harbour, take 3</h1>" in answer.content.decode()
    assert "<html" not in answer.content.decode()


def test_title_without_scripts_leads_back_to_the_page(member, browser_of):
    video = factories.make_video(by=member, files=False)
    answer = browser_of(member).post(reverse("videos.rename", args=[video.id]), {"title": "New"})
    assert (answer.status_code, answer.url) == (302, f"/videos/{video.id}/")


def test_title_that_is_too_long_is_refused_beside_the_field_and_kept(member, browser_of):
    video = factories.make_video(by=member, files=False, title="old")
    for htmx in (True, False):
        answer = browser_of(member, htmx=htmx).post(reverse("videos.rename", args=[video.id]), {"title": "x" * 201})
        assert answer.status_code == 422
        page = answer.content.decode()
        assert 'id="id_title_error"' in page
        assert "x" * 201 in page
    video.refresh_from_db()
    assert video.title == "old"


def test_empty_title_goes_back_to_the_prompt(member, browser_of):
    video = factories.make_video(by=member, files=False, title="old", prompt="Boats at sea")
    answer = browser_of(member, htmx=True).post(reverse("videos.rename", args=[video.id]), {"title": ""})
    assert "Boats at sea</h1>" in answer.content.decode()


def test_trashed_video_says_so_and_can_be_restored(member, browser_of):
    video = factories.make_video(by=member, files=False, trashed_at=timezone.now())
    client = browser_of(member)
    assert "This video is in the trash." in page_of(client, video)
    client.post(reverse("videos.restore"), {"video": str(video.id)})
    assert "This video is in the trash." not in page_of(client, video)


def test_video_whose_file_is_gone_says_so_and_offers_no_player_and_no_download(member, browser_of):
    video = factories.make_video(by=member)
    address = f"/videos/{video.id}/"
    for is_gone in (False, True):
        Video.objects.filter(id=video.id).update(missing_at=timezone.now() if is_gone else None)
        page = browser_of(member).get(address).content.decode()
        assert ("The file of this video is gone" in page) is is_gone
        for offered in ("<video", "data-use-frame", f"/media/videos/{video.id}/download/"):
            assert (offered in page) is not is_gone, offered
        assert video.prompt in page
