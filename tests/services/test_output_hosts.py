"""A finished file at a host that OUTPUT_HOSTS does not name: the admins are told at once, and nothing is fetched."""

from collections.abc import Callable
from typing import Any

import pytest
from django.template.loader import render_to_string

from playground.addresses import host_patterns
from playground.domain.status import Status
from playground.models import Event, Notice
from playground.services import gateways
from playground.services.saving import Why
from playground.views.history import history
from tests.gateway.fake import Behaviour
from tests.services.test_saving import Place, film, finished, nothing_is_left, passed, places, redirects, saved

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["places"]
ELSEWHERE = "https://films.example/v.mp4"


@pytest.fixture
def narrowed(settings: Any) -> None:
    settings.OUTPUT_HOSTS = ("*.lumenfall.ai",)


def test_admins_are_told_the_host_once_and_the_video_is_saved_when_it_is_at_a_named_one(
    places: Callable[[Behaviour], Place], narrowed: None
) -> None:
    place = places(redirects(ELSEWHERE))
    generation = saved(finished(place))

    event = Event.objects.get(generation=generation, kind="saving_failed")
    assert generation.state is Status.COMPLETED
    assert (event.data["code"], event.data["why"]) == ("output_host", Why.OURS.value)
    assert nothing_is_left()
    notice = Notice.objects.get(kind="output_host")
    assert (notice.user, notice.team, notice.data["host"]) == (None, generation.team, "films.example")
    words = render_to_string("notices/kinds/output_host.html", {"notice": notice, "row": {"shows_run": True}})
    assert ">films.example</span>" in words
    assert "OUTPUT_HOSTS" in words

    passed(generation, minutes=2)
    saved(generation)
    assert Notice.objects.filter(kind="output_host").count() == 1
    place.media = film()  # the gateway itself needs no name
    passed(generation, minutes=2)
    assert saved(generation).state is Status.DONE


def test_history_says_that_the_host_is_not_allowed(places: Callable[[Behaviour], Place], narrowed: None) -> None:
    generation = saved(finished(places(redirects(ELSEWHERE))))
    assert any("not among those allowed here" in str(entry.words) for entry in history([generation]))


def test_every_gateway_gets_the_named_hosts(narrowed: None, places: Callable[[Behaviour], Place]) -> None:
    generation = finished(places(film()))
    assert gateways.config_of(generation.gateway).output_hosts == ("*.lumenfall.ai",)


def test_named_hosts_are_read_in_any_case_and_with_a_dot_at_their_end() -> None:
    assert host_patterns("OUTPUT_HOSTS", [" *.Lumenfall.AI ", "films.example.", ""]) == (
        "*.lumenfall.ai",
        "films.example",
    )


@pytest.mark.parametrize("value", ["*", "*.", "https://films.example", "films.example:443", "a b", "*.*.ai", "films.*"])
def test_what_is_no_host_stops_the_start_and_names_the_variable(value: str) -> None:
    with pytest.raises(ValueError, match="OUTPUT_HOSTS"):
        host_patterns("OUTPUT_HOSTS", [value])
