"""Reference images: stored when picked, shown with the part that will be used, for the team only."""

from io import BytesIO

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from PIL import Image

from playground.media import decoding, picture_limits
from playground.models import Reference
from tests.factories import make_gateway, make_member, make_model
from tests.views.conftest import MemberClient

pytestmark = [pytest.mark.django_db, pytest.mark.pure]


@pytest.fixture
def client():
    make_model("kling-v3", gateway=make_gateway(slug="sandbox", is_default=True))
    client, member = MemberClient(), make_member()
    client.team = member.team.slug
    client.force_login(member.user)
    return client


def picture(width=360, height=640):
    sink = BytesIO()
    Image.new("RGB", (width, height), "teal").save(sink, "JPEG")
    return SimpleUploadedFile("a.jpg", sink.getvalue(), "image/jpeg")


def send(client, file, **more):
    return client.post(
        "/references/", {"reference": file, "model": "kling-v3", "shape": "16:9", "quality": "720p", **more}
    )


def test_a_picture_is_stored_at_once_and_its_id_travels_on(client):
    html = send(client, picture()).content.decode()
    stored = Reference.objects.get()
    assert f'name="reference_id" value="{stored.id}"' in html


def test_a_mismatch_marks_the_part_that_is_used_and_offers_the_other_shape(client):
    html = send(client, picture()).content.decode()
    assert "Your picture is 9:16, the video 16:9. The marked part is used." in html
    assert "Make the video 9:16" in html
    assert 'for="shape-916"' in html
    assert "M0 219h360v202h-360Z" in html


def test_what_is_no_picture_is_refused_beside_the_field_and_not_kept(client):
    answer = send(client, SimpleUploadedFile("a.jpg", b"not a picture at all", "image/jpeg"))
    assert answer.status_code == 422
    assert 'id="reference-error"' in answer.content.decode()
    assert not Reference.objects.exists()


def test_picture_that_we_could_not_look_at_is_said_beside_the_field_with_the_one_before(client, monkeypatch):
    send(client, picture())
    first = Reference.objects.get()
    monkeypatch.setattr(decoding, "COMMAND", ("/nowhere/python",))
    answer = send(client, picture(400, 900), reference_id=str(first.id))
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    html = answer.content.decode()
    assert 'role="alert">The picture could not be looked at. Try again in a moment.<' in html
    assert f'name="reference_id" value="{first.id}"' in html
    assert 'hx-status:503="swap:outerHTML"' in html


def test_limit_of_a_day_is_said_beside_the_field_with_the_one_before(client, settings):
    send(client, picture())
    first = Reference.objects.get()
    settings.UPLOAD_DAY_MB = 0
    answer = send(client, picture(400, 900), reference_id=str(first.id))
    assert answer.status_code == 422
    html = answer.content.decode()
    assert "more than the 0 MB that you may upload in a day" in html
    assert f'name="reference_id" value="{first.id}"' in html


def test_page_knows_the_limits_of_the_server(client):
    html = client.get("/create/?model=kling-v3").content.decode()
    assert f'data-max="{picture_limits.MAX_FILE_BYTES}"' in html
    assert f'data-max-side="{picture_limits.MAX_SIDE}"' in html


def test_ten_files_in_one_form_are_refused_before_they_are_looked_at(client):
    files = {f"reference{number}": picture() for number in range(9)}
    assert client.post("/references/", {"reference": picture(), **files}).status_code == 413
    assert not Reference.objects.exists()


def test_removing_forgets_a_picture_that_no_order_used(client):
    send(client, picture())
    html = client.post("/references/", {"remove": "1", "reference_id": str(Reference.objects.get().id)}).content
    assert b"Choose a picture" in html
    assert not Reference.objects.exists()


def test_pictures_are_for_the_team_only(client):
    send(client, picture())
    stored = Reference.objects.get()
    stranger = Client()
    stranger.force_login(make_member().user)
    for name in ("image", "thumb"):
        assert client.get(f"/references/{stored.id}/{name}/").status_code == 200
        assert stranger.get(f"/references/{stored.id}/{name}/").status_code == 404


def test_a_picture_chosen_before_is_drawn_again_from_its_id(client):
    send(client, picture())
    stored = Reference.objects.get()
    answer = client.post("/references/", {"reference_id": str(stored.id), "model": "kling-v3"})
    assert answer.status_code == 200
    assert f"/references/{stored.id}/thumb/" in answer.content.decode()
    assert Reference.objects.count() == 1


def test_crop_stays_where_it_was_moved_to_and_a_new_picture_starts_centred(client):
    html = send(client, picture()).content.decode()
    first = Reference.objects.get()
    moved = send(client, "", reference_id=str(first.id), crop_at="100").content.decode()
    other = send(client, picture(400, 900), reference_id=str(first.id), crop_at="100").content.decode()

    assert 'type="range" name="crop_at" min="0" max="100" step="1" value="50"' in html
    assert "M0 438h360v202h-360Z" in moved
    assert 'name="crop_at" min="0" max="100" step="1" value="100"' in moved
    assert 'name="crop_at" min="0" max="100" step="1" value="50"' in other


@pytest.mark.parametrize("at", ["x", "-3", "1e9", "\u0661", "99999999999999999999"])
def test_crop_at_no_such_place_is_centred_or_at_the_end(client, at):
    send(client, picture())
    html = send(client, "", reference_id=str(Reference.objects.get().id), crop_at=at).content.decode()
    assert 'value="50"' in html
