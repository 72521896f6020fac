"""A viewer asks, a creator opens and orders it, the viewer sees the video: through real processes and plain HTTP."""

from collections.abc import Iterator

import pytest

from tests.journeys.test_main_job import finished, newest_card, someone, video_of
from tests.support.processes import wait_until
from tests.support.running import Running

pytestmark = [pytest.mark.journey, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    running = Running(tmp_path_factory.mktemp("asked"), SANDBOX_JOB_SECONDS="1-2")
    running.prepared()
    try:
        yield running.ready_to_order()
    finally:
        running.remove()


def test_viewer_asks_a_creator_orders_and_the_viewer_sees_it(up: Running) -> None:
    someone(up, "ana", "studio", "admin")
    vera, carl = someone(up, "vera", "studio", "viewer"), someone(up, "carl", "studio")
    page = vera.ask("/create/?model=p-video&seconds=1")
    form = {name: page.value(name) for name in ("team", "token")} | {"model": "p-video", "seconds": 1, "request": 1}
    asked = vera.post("/create/", form | {"prompt": "A lighthouse", "note": "For Friday"}, page=page)
    assert asked.status == 200
    assert "have been asked" in asked.text

    listed = carl.ask("/requests/")
    assert "For Friday" in listed.text
    opened = carl.ask(listed.values(r'href="(/create/\?ask=[0-9a-f-]{36})"')[0])
    names = ("team", "token", "quoted_micros", "answers")
    press = {name: opened.value(name) for name in names} | {"model": "p-video", "seconds": 1, "prompt": "A lighthouse"}
    assert carl.post("/create/", press, page=opened).status == 303
    video = video_of(finished(carl, newest_card(carl)))

    wait_until(lambda: f"/videos/{video}/" in vera.ask("/notices/").text, within=20, what="the notice")
    assert vera.ask(f"/media/videos/{video}/").status == 200
    assert f"/videos/{video}/" in vera.ask("/requests/").text
