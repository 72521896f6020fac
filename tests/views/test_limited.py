"""Views that may be asked for only so often: 429 in words with the wait, nothing done, nothing lost."""

import ast
import json
from pathlib import Path

import pytest
import time_machine
from django.test import Client

from playground.models import Collection, Comment, Invitation, Reference, Role, Run, VideoRequest, Visibility
from playground.rate_limits import DEFAULTS, Limit
from playground.services import comments, invitations, people, rates, sharing
from playground.views import errors
from tests import factories
from tests.support.sharing import make_collection, make_link
from tests.views.test_create import HTMX, priced, values
from tests.views.test_references import picture, send
from tests.views.test_signup import asked, open_domain  # noqa: F401  a fixture

pytestmark = [pytest.mark.django_db, pytest.mark.pure]


@pytest.fixture(autouse=True)
def tight(settings):
    """Two at once, and a clock that stands: each wait is 30 seconds however slow the machine."""
    settings.RATE_LIMITS = {name: Limit(2, 60) for name in DEFAULTS}
    with time_machine.travel("2026-11-21 02:00:00+00:00", tick=False):
        yield


@pytest.fixture
def model():
    return factories.make_model("kling-v3", gateway=factories.make_gateway(slug="sandbox", is_default=True))


def test_client_with_too_many_wrong_tokens_is_told_to_wait_and_another_one_is_not(member):
    paths = ["/sign-in/wrong/", "/welcome/wrong/"]
    assert [Client().get(path).status_code for path in paths] == [410, 410]
    refused = Client().get("/sign-in/wrong/")
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "30")
    assert "Too often in a short time" in refused.text
    assert Client(REMOTE_ADDR="198.51.100.7").get("/sign-in/wrong/").status_code == 410


@pytest.fixture
def way_in(open_domain, client, request):  # noqa: F811
    """The path of a link of this kind that is right."""
    if request.param == "welcome":
        return people.first_admin_link("")
    if request.param == "sign-up":
        return asked(client, "bo@example.com")
    by = factories.make_member(team=open_domain, role=Role.ADMIN)
    if request.param == "invitation":
        return invitations.invite(by=by, role="viewer", base_url="")[1]
    return people.signin_link(email=by.user.email, base_url="")


@pytest.mark.parametrize("way_in", ["sign-in", "welcome", "sign-up", "invitation"], indirect=True)
def test_right_link_is_answered_however_many_wrong_ones_came_from_there(way_in):
    for number in range(4):
        Client().get(f"/invite/wrong{number}/")
    assert Client().get("/sign-in/wrong/").status_code == 429
    assert Client().get(way_in).status_code == 200
    form = {"name": "A", "team_name": "B", "email": "a@example.com", "password": "a long enough password"}
    assert Client().post(way_in, form).status_code in {302, 303}
    assert Client().get("/sign-in/wrong/").status_code == 429


def test_wrong_links_to_videos_hold_up_no_wrong_or_right_way_in(member):
    assert [Client().get(f"/s/wrong{number}/").status_code for number in range(3)] == [404, 404, 429]
    assert Client().get(people.signin_link(email=member.user.email, base_url="")).status_code == 200
    assert [Client().get(f"/invite/wrong{number}/").status_code for number in range(3)] == [410, 410, 429]
    assert rates.wait("share_token", "192.0.2.8") == 0


@pytest.mark.parametrize("path", ["/invite/{}/", "/account/signup/{}/", "/sign-in/{}/", "/welcome/{}/"])
def test_wrong_tokens_of_every_kind_of_link_are_counted(open_domain, path):  # noqa: F811
    asked = [Client().get(path.format(f"wrong{number}")).status_code for number in range(3)]
    assert asked == [410, 410, 429]


def test_right_tokens_are_never_too_many(member):
    good = people.signin_link(email=member.user.email, base_url="").partition("/sign-in/")[2]
    assert {Client().get(f"/sign-in/{good}").status_code for _ in range(9)} == {200}


@pytest.fixture
def press(member, browser_of, model):
    """Presses the button for another order; what htmx adds is given."""
    priced(model)
    browser = browser_of(member)

    def press(number: int, **given):
        return browser.post("/create/", values(model, token=f"press-{number}", prompt="A heron"), **given)

    return press


def test_press_beyond_the_limit_is_a_page_that_says_for_how_long(press):
    assert [press(number).status_code for number in range(2)] == [303, 303]
    refused = press(3)
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "30")
    assert "Wait 30 seconds." in refused.text
    assert "what you typed still stands there" in refused.text
    assert Run.objects.count() == 2


def test_press_of_a_page_that_stays_gets_a_toast_and_keeps_its_form(press):
    for number in range(2):
        press(number)
    refused = press(3, headers=HTMX)
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "30")
    words = json.loads(refused.headers["HX-Trigger"])["toast"]["text"]
    assert words == "That was too often in a short time. Nothing was changed. Wait 30 seconds."
    assert refused.headers["HX-Retarget"] == "#nothing"
    assert "<form" not in refused.text
    assert Run.objects.count() == 2


def test_refused_press_can_be_made_again_later(press):
    with time_machine.travel("2026-11-21 02:00:00+00:00", tick=False) as clock:
        assert [press(number).status_code for number in range(3)] == [303, 303, 429]
        clock.shift(30)
        assert press(2).status_code == 303
    assert Run.objects.count() == 3


def test_ordering_again_counts_as_a_press(member, browser_of, press, model):
    made = factories.make_video(by=member, model=model, files=False).generation
    for number in range(2):
        press(number)
    assert browser_of(member).post(f"/generations/{made.id}/again/", {"token": "x"}).status_code == 429
    assert Run.objects.count() == 3  # that of the video and the two presses


def test_price_checks_have_a_limit_of_their_own(press, member, browser_of, model):
    browser = browser_of(member)
    assert [browser.post("/create/price/", values(model)).status_code for _ in range(3)] == [200, 200, 429]
    assert press(1).status_code == 303


def test_uploads_have_one_too_and_the_refused_file_is_not_kept(member, browser_of, model):
    browser = browser_of(member)

    assert [send(browser, picture(360 + n)).status_code for n in range(3)] == [200, 200, 429]
    assert Reference.objects.count() == 2


@pytest.mark.parametrize("headers", [{}, HTMX], ids=["page", "htmx"])
@pytest.mark.parametrize(
    "where", ["/create/", "/create/price/", "/create/?accept_limits"], ids=["order", "price", "limits"]
)
def test_picture_that_comes_with_the_form_beyond_the_limit_leaves_the_form_as_it_was(
    admin, browser_of, model, headers, where
):
    browser = browser_of(admin)
    for number in range(2):
        send(browser, picture(360 + number))
    path, _separator, also = where.partition("?")
    typed = values(model, prompt="A harbour") | {"reference": picture(400)} | ({also: "1"} if also else {})
    refused = browser.post(path, typed, headers=headers)
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "30")
    assert "That was too often in a short time." in (refused.headers.get("HX-Trigger", "") + refused.text)
    if headers:
        assert refused.headers["HX-Retarget"] == "#nothing", "the form on the page stays, its picture too"
    else:
        assert "A harbour</textarea>" in refused.text
    assert (Reference.objects.count(), Run.objects.count()) == (2, 0)


def test_exports_have_one_too(member, browser_of):
    browser = browser_of(member)
    assert [browser.get("/spend/export.csv").status_code for _ in range(3)] == [200, 200, 429]


def test_record_of_a_team_has_it_too(admin, browser_of):
    browser = browser_of(admin)
    assert [browser.get("/team/audit.csv").status_code for _ in range(3)] == [200, 200, 429]


@pytest.fixture
def comment(member, browser_of):
    video = factories.make_video(by=member, files=False)

    def comment(text: str, **given):
        return browser_of(member).post(f"/videos/{video.id}/comments/", {"text": text}, **given)

    return comment


def test_comment_beyond_the_limit_is_not_made_and_stays_in_its_form(comment):
    assert [comment(text).status_code for text in ("one", "two")] == [303, 303]
    refused = comment("three")
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "30")
    assert ">three</textarea>" in refused.text
    assert 'id="id_comment_error" role="alert">That was too often in a short time.' in refused.text
    by_htmx = comment("three", headers=HTMX)
    assert (by_htmx.status_code, by_htmx.headers["HX-Retarget"]) == (429, "#nothing")
    assert Comment.objects.count() == 2


def test_comment_that_is_wrong_is_not_counted(comment):
    assert [comment("").status_code for _ in range(4)] == [422] * 4
    assert comment("right").status_code == 303


@pytest.mark.parametrize("what", ["favourite", "approve"])
def test_marks_have_a_limit(member, browser_of, what):
    video = factories.make_video(by=member, files=False)
    browser = browser_of(member)
    path = f"/videos/{video.id}/{what}/"
    assert [browser.post(path, {"on": str(number % 2)}).status_code for number in range(3)][-1] == 429


def test_new_collections_have_a_limit_and_their_form_keeps_what_was_typed(member, browser_of):
    video = factories.make_video(by=member, files=False)
    browser = browser_of(member)

    def make(name):
        form = {"name": name, "visibility": "private", "video": str(video.id)}
        return browser.post("/collections/new/", form)

    assert [make(name).status_code for name in ("a", "b")] == [302, 302]
    refused = make("Third one")
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "30")
    assert 'value="Third one"' in refused.text
    assert f'name="video" value="{video.id}"' in refused.text
    assert 'value="private" checked' in refused.text
    assert set(Collection.objects.values_list("name", flat=True)) == {"a", "b"}


@pytest.mark.parametrize(
    "limit_and_path",
    [
        ("comment_undo", "/videos/{video}/comments/{comment}/remove/"),
        ("comment_undo", "/videos/{video}/comments/{comment}/restore/"),
        ("visibility", "/videos/{video}/visibility/"),
        ("share_end", "/team/links/{link}/revoke/"),
        ("share", "/team/links/{link}/renew/"),
    ],
)
def test_each_of_these_changes_is_counted_and_refused_beyond_its_limit(member, browser_of, limit_and_path):
    limit, path = limit_and_path
    video = factories.make_video(by=member, files=False)
    link, _token = make_link(by=member, video=video)
    comment = comments.add(by=member, video=video, text="Fine")
    before = all_of(video, link, comment)
    for _ in range(2):
        assert rates.take(limit, str(member.user_id)) == 0
    address = path.format(video=video.id, link=link.id, comment=comment.id)
    refused = browser_of(member).post(address, {"visibility": "private", "shown": sharing.mark_of(link)})
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "30")
    assert all_of(video, link, comment) == before


def all_of(*rows) -> list[dict]:
    return [type(row).objects.filter(id=row.id).values().get() for row in rows]


def test_taken_back_comment_can_be_brought_back_after_as_many_as_one_may_write(member, browser_of):
    video = factories.make_video(by=member, files=False)
    made = comments.add(by=member, video=video, text="Fine")
    for _ in range(2):
        assert rates.take("comment", str(member.user_id)) == 0
    base = f"/videos/{video.id}/comments/{made.id}"
    assert [browser_of(member).post(f"{base}/{deed}/").status_code for deed in ("remove", "restore")] == [303, 303]


@pytest.mark.parametrize("deed", ["add", "remove", "put-back", "rename", "visibility", "delete", "restore"])
def test_each_change_to_a_collection_is_counted(member, browser_of, deed):
    video = factories.make_video(by=member, files=False)
    collection = make_collection(video, by=member, name="Old")
    for _ in range(2):
        assert rates.take("collect", str(member.user_id)) == 0
    form = {"video": str(video.id), "name": "New name", "visibility": Visibility.PRIVATE}
    refused = browser_of(member).post(f"/collections/{collection.id}/{deed}/", form)
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "30")
    assert deed != "rename" or 'value="New name"' in refused.text
    collection.refresh_from_db()
    assert (collection.name, collection.removed_at, collection.items.count()) == ("Old", None, 1)


def test_invitations_have_a_limit_and_their_form_keeps_what_was_typed(admin, browser_of):
    def invite(email):
        return browser_of(admin).post("/team/invitations/", {"role": "viewer", "email": email, "days": "30"})

    assert [invite(email).status_code for email in ("a@example.com", "b@example.com")] == [200, 200]
    refused = invite("c@example.com")
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "30")
    assert "That was too often in a short time. Nothing was changed. Wait 30 seconds." in refused.text
    assert 'value="c@example.com"' in refused.text
    assert '<option value="30" selected>' in refused.text
    assert Invitation.objects.count() == 2


def test_requests_for_a_video_have_a_limit_beside_that_of_presses(viewer, browser_of, model, settings):
    settings.RATE_LIMITS = settings.RATE_LIMITS | {"submit": Limit(60, 60)}
    priced(model)
    browser = browser_of(viewer)

    def ask(number):
        return browser.post("/create/", values(model, request="1", prompt=f"A heron, {number}", note="By Friday"))

    assert [ask(number).status_code for number in range(2)] == [200, 200]
    refused = ask(3)
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "30")
    assert "That was too often in a short time." in refused.text
    assert "A heron, 3</textarea>" in refused.text
    assert "By Friday" in refused.text
    assert VideoRequest.objects.count() == 2


def test_each_limit_is_taken_somewhere():
    """A limit that nobody asks for is a promise of the table that is not kept."""
    taken = set()
    for path in Path(rates.__file__).parents[1].rglob("*.py"):
        text = path.read_text()
        if "rates" not in text and "limited" not in text:
            continue
        for node in ast.walk(ast.parse(text)):
            parts = node.args if isinstance(node, ast.Call) else node.elts if isinstance(node, ast.Tuple) else []
            if parts and isinstance(parts[0], ast.Constant):
                taken.add(parts[0].value)
    assert set(DEFAULTS) - taken == set()


def test_limits_count_people_not_their_teams(member, browser_of, model):
    other = factories.make_member(user=member.user)
    colleague = factories.make_member(team=member.team)
    statuses = [browser_of(of).post("/create/price/", values(model)).status_code for of in (member, other, member)]
    assert statuses == [200, 200, 429]
    assert browser_of(colleague).post("/create/price/", values(model)).status_code == 200


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(1, "Wait 1 second."), (119, "Wait 119 seconds."), (120, "Wait 2 minutes."), (121, "Wait 3 minutes.")],
)
def test_wait_is_said_in_what_one_counts_in(seconds, words):
    assert errors.wait_words(seconds) == words


def test_gateways_are_tried_only_so_often(browser_of):
    """Each try holds a thread for as long as the gateway is silent."""
    admin = factories.make_member(role=Role.ADMIN)
    gateway = factories.make_gateway(team=admin.team)
    browser, typed = browser_of(admin), {"name": "Ours", "base_url": "https://videos.example.com/v1", "kind": "other"}
    presses = [
        ("/team/gateways/new/?kind=other", {**typed, "test": "1"}),
        (f"/team/gateways/{gateway.id}/key/", {"test": "1", "key": ""}),
        (f"/team/gateways/{gateway.id}/check/", {}),
    ]
    assert [browser.post(where, data).status_code == 429 for where, data in presses] == [False, False, True]
    again = browser.post(*presses[0])
    assert (again.status_code, again.headers["Retry-After"]) == (429, "30")
    assert "https://videos.example.com/v1" in again.content.decode()
