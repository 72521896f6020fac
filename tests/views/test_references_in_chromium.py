"""Picking a picture in a real browser: the server's words stand beside the field, and large pictures are fitted."""

from io import BytesIO

import pytest
from PIL import Image

from playground.domain.capabilities import Capabilities, Lengths
from playground.media import decoding, storage
from playground.models import Reference
from tests import factories
from tests.views.conftest import becomes_true

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
TAKES = Capabilities(sizes=("720x1280", "1280x720"), lengths=Lengths(minimum=1, maximum=10), image_to_video=True)
SAID = "document.querySelector('#reference-error')?.textContent.startsWith('{}')"
STORED = "!!document.querySelector('[name=reference_id]')?.value"


@pytest.fixture
def form(page, admin):
    factories.make_model("m", gateway=factories.make_gateway(slug="sandbox", is_default=True), takes=TAKES)
    page.goto("/create/?model=m")
    return page


def file(size: tuple[int, int], *, orientation: int = 1) -> dict[str, object]:
    exif = Image.Exif()
    exif[0x0112] = orientation
    sink = BytesIO()
    Image.effect_noise(size, 60).convert("RGB").save(sink, "JPEG", quality=60, exif=exif)
    return {"name": "p.jpg", "mimeType": "image/jpeg", "buffer": sink.getvalue()}


def expected(page, status: str) -> None:
    """The browser notes the answer in its console, and nothing else."""
    assert [status in line for line in page.complaints] == [True]
    page.complaints.clear()


def test_picture_of_a_large_camera_is_made_smaller_before_it_is_sent_and_stands_upright(form):
    form.set_input_files("#reference", file((5000, 3000), orientation=6))
    becomes_true(form, STORED)
    reference = Reference.objects.get()
    assert (reference.width, reference.height) == (1229, 2048)
    with storage.open(reference.original_key) as original, Image.open(original) as picture:
        assert max(picture.size) == 4096


def test_decoder_that_is_away_is_said_beside_the_field_and_the_next_try_works(form, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(decoding, "COMMAND", ("/nowhere/python",))
        form.set_input_files("#reference", file((640, 360)))
        becomes_true(form, SAID.format("The picture could not be looked at."))
        becomes_true(form, "document.activeElement.id === 'reference'")
    form.set_input_files("#reference", file((640, 360)))
    becomes_true(form, STORED)
    assert form.locator("#reference-error").count() == 0
    expected(form, "503")


def test_limit_of_a_day_is_said_beside_the_field_and_nothing_typed_is_lost(form, settings):
    settings.UPLOAD_DAY_MB = 0
    form.fill("[name=prompt]", "A boat")
    form.set_input_files("#reference", file((640, 360)))
    becomes_true(form, SAID.format("That would be more than the 0 MB"))
    assert form.input_value("[name=prompt]") == "A boat"
    expected(form, "422")
