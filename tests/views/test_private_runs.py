"""What goes to "Only me": nobody else meets its words, pictures or video anywhere; its money counts."""

import re

import pytest
from django.core.cache import cache
from django.urls import reverse
from django.utils import timezone

from playground.domain.status import Status
from playground.models import Budget, Run, Video, Visibility
from playground.services import budget_requests, estimates, ledger, notices
from tests import factories
from tests.views.test_create import priced, values
from tests.views.test_unclear import press

pytestmark = [pytest.mark.django_db, pytest.mark.pure]
SECRET = "Zephyrine heron"
PAGES = (
    "/create/",
    "/gallery/",
    "/gallery/?model=quiet-model",
    "/runs/",
    "/trash/",
    "/notices/",
    "/requests/",
    "/spend/",
    "/unclear/",
)


@pytest.fixture
def model(db):
    cache.clear()
    gateway = factories.make_gateway(slug="sandbox", is_default=True)
    made = factories.make_model("kling-v3", gateway=gateway, price_floor_micros=100_000)
    priced(made)
    return made


@pytest.fixture
def private(member, model):
    """A private video with a picture, of a model that nothing else was made with."""
    quiet = factories.make_model("quiet-model", gateway=model.gateway)
    run = factories.make_run(by=member, model=quiet, prompt=SECRET, visibility=Visibility.PRIVATE)
    generation = factories.make_generation(run=run, cost_micros=380_000)
    factories.make_reference(by=member, generation=generation)
    return factories.make_video(by=member, generation=generation, prompt=SECRET, visibility=Visibility.PRIVATE)


def text_of(answer) -> str:
    return " ".join(answer.content.decode().split())


def addresses(video: Video) -> list[str]:
    generation = video.generation
    picture = generation.references.get()
    return [
        reverse("videos.detail", args=[video.id]),
        *(reverse(f"media.{name}", args=[video.id]) for name in ("video", "poster", "preview", "download")),
        *(reverse(f"media.{name}", args=[picture.id]) for name in ("reference", "reference_thumb")),
        reverse("runs.detail", args=[generation.run_id]),
        reverse("generations.card", args=[generation.id]),
    ]


def test_choice_stands_beside_the_button_and_is_kept(member, model, browser_of):
    browser = browser_of(member)
    page = text_of(browser.get("/create/"))
    assert '<option value="team" selected>' in page
    assert browser.post("/create/", values(model, visibility="private")).status_code == 303
    assert Run.objects.get().visibility == Visibility.PRIVATE
    assert '<option value="private" selected>' in text_of(browser.get("/create/"))
    assert '<option value="private" selected>' in text_of(browser_of(member).get("/create/"))
    assert '<option value="private" selected>' in text_of(
        browser.post("/create/price/", values(model, visibility="private"))
    )
    refused = browser.post("/create/", values(model, visibility="private", prompt=""))
    assert '<option value="private" selected>' in text_of(refused)
    assert browser.post("/create/", values(model, prompt="An older form", token="older")).status_code == 303
    assert Run.objects.latest("id").visibility == Visibility.TEAM


def test_settings_used_again_and_continue_keep_whom_it_is_for(member, private, browser_of):
    for query in (f"from={private.generation_id}", f"parent={private.id}"):
        assert '<option value="private" selected>' in text_of(browser_of(member).get(f"/create/?{query}"))


def test_owner_sees_it_everywhere_and_that_it_is_theirs_alone(member, private, browser_of):
    browser = browser_of(member)
    assert {browser.get(address).status_code for address in addresses(private)} <= {200, 302}
    for page in (
        "/gallery/",
        "/runs/",
        addresses(private)[0],
        reverse("runs.detail", args=[private.generation.run_id]),
    ):
        assert SECRET in text_of(browser.get(page))
        assert re.search("only me", text_of(browser.get(page)), re.IGNORECASE)


@pytest.mark.parametrize("role", ["admin", "viewer", "colleague", "stranger"])
def test_nobody_else_meets_it(member, admin, viewer, stranger, private, browser_of, role):
    who = {"admin": admin, "viewer": viewer, "stranger": stranger}.get(role) or factories.make_member(team=member.team)
    browser = browser_of(who)
    assert {address: browser.get(address).status_code for address in addresses(private)} == dict.fromkeys(
        addresses(private), 404
    )
    for page in (*PAGES, "/spend/", "/unclear/"):
        assert SECRET not in text_of(browser.get(page)), page
    assert SECRET not in text_of(browser.get(f"/create/?from={private.generation_id}"))
    assert SECRET not in text_of(browser.get(f"/create/?parent={private.id}"))
    older = factories.make_video(by=member, files=False)
    assert "quiet-model" not in text_of(browser.get("/gallery/"))
    Video.objects.filter(id=older.id).update(id="01000000-0000-7000-8000-000000000000")
    newer = browser.get("/gallery/newer/?after=01000000-0000-7000-8000-000000000000", headers={"HX-Request": "true"})
    assert newer.status_code == 204
    card = browser.get(f"/generations/cards/?g={private.generation_id}:0", headers={"HX-Request": "true"})
    assert SECRET not in text_of(card)
    again = browser.post(reverse("generations.again", args=[private.generation_id]), {"token": "x"})
    assert again.status_code == 404


def test_family_of_a_team_video_has_no_private_member(member, admin, private, browser_of):
    child = factories.make_video(by=member, parent_video=private, prompt="A child of it")
    page = text_of(browser_of(admin).get(reverse("videos.detail", args=[child.id])))
    assert str(private.id) not in page
    assert str(private.id) not in text_of(browser_of(admin).get(reverse("runs.detail", args=[child.generation.run_id])))


def test_running_private_ones_are_counted_for_their_owner_only(member, admin, model, browser_of):
    run = factories.make_run(by=member, model=model, visibility=Visibility.PRIVATE)
    factories.make_generation(run=run, status=Status.RUNNING)
    pill = '1<span class="pill__word"> running</span>'
    assert pill in text_of(browser_of(member).get("/gallery/"))
    assert pill not in text_of(browser_of(admin).get("/gallery/"))


def test_admin_decides_an_unclear_private_order_by_its_money_without_its_words(member, admin, model, browser_of):
    run = factories.make_run(
        by=member,
        model=model,
        prompt=SECRET,
        visibility=Visibility.PRIVATE,
        settings={"negative_prompt": "Zephyrine rain"},
    )
    now = timezone.now()
    row = factories.make_generation(run=run, status=Status.UNKNOWN, sent_at=now, unclear_at=now)
    picture = factories.make_reference(by=member, generation=row)
    ledger.hold(generation=row, amount_micros=500_000, at=now)
    data = {"generation": str(row.id), "estimate_micros": 400_000, "held_micros": 500_000, "is_sandbox": True}
    notices.tell("unclear_order", team=row.team, key="u", data=data)
    page = text_of(browser_of(admin).get(f"/unclear/?order={row.id}"))
    assert "A private order" in page
    for word in (model.slug, "$0.50", member.user.display_name):
        assert word in page
    for hidden in ("Zephyrine", str(picture.id), reverse("runs.detail", args=[run.id])):
        assert hidden not in page
    looks = text_of(browser_of(admin).get("/runs/"))
    assert "A private order" in looks
    assert "Zephyrine" not in looks
    assert f"/unclear/?order={row.id}" in text_of(browser_of(admin).get("/notices/"))
    assert browser_of(member).get("/unclear/").status_code == 404
    assert press(browser_of(admin), "close", row).status_code == 302
    told = text_of(browser_of(admin).get("/notices/"))
    assert "closed it, since it never ran" in told
    assert reverse("runs.detail", args=[run.id]) not in told


def test_notice_of_a_lost_private_video_has_no_way_to_its_run(member, admin, private, browser_of):
    run = private.generation.run
    data = {"run": str(run.id), "model": "kling", "code": "output_gone", "cost_micros": 1, "estimate_micros": 1}
    notices.tell("output_lost", team=member.team, key="lost", data=data)
    page = text_of(browser_of(admin).get("/notices/"))
    assert "It is private: only who ordered it sees its run." in page
    assert str(run.id) not in page


def test_money_of_private_runs_counts_without_their_words(member, admin, browser_of):
    real = factories.make_gateway(is_sandbox=False)
    model = factories.make_model("dear-model", gateway=real)
    run = factories.make_run(by=member, model=model, prompt=SECRET, visibility=Visibility.PRIVATE)
    row = factories.make_generation(run=run, cost_micros=7_770_000)
    now = timezone.now()
    ledger.hold(generation=row, amount_micros=8_000_000, at=now)
    ledger.settle(generation=row, cost_micros=7_770_000, at=now)
    page = text_of(browser_of(admin).get("/spend/"))
    assert "$7.77" in page
    assert "dear-model" in page
    csv = browser_of(admin).get("/spend/export.csv").getvalue().decode()
    assert "7770000" in csv
    assert SECRET not in page + csv
    assert Budget.objects.filter(spent_micros=7_770_000).exists()


def test_admin_who_is_asked_for_more_sees_prompt_and_picture_and_the_asker_is_told_so(member, admin, model, browser_of):
    picture = factories.make_reference(by=member)
    wanted = estimates.Wanted(model=model, size="1280x720", seconds=4, references=(picture,))
    quote = estimates.Quote(estimates.QuoteState.ESTIMATED, count=1, seconds=4, unit_micros=400_000)
    asked = budget_requests.ask(by=member, wanted=wanted, prompt=SECRET, quote=quote, visibility=Visibility.PRIVATE)
    browser = browser_of(admin)
    assert SECRET in text_of(browser.get(f"/create/?request={asked.id}"))
    assert browser.get(reverse("media.reference", args=[picture.id])).status_code == 200
    assert (
        browser_of(factories.make_member(team=member.team))
        .get(reverse("media.reference", args=[picture.id]))
        .status_code
        == 404
    )
    assert '<option value="private" selected>' in text_of(browser_of(member).get(f"/create/?request={asked.id}"))
