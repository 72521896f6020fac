"""A save whose last transaction fails: its files leave the store again, and the error is told as it was."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import IntegrityError, OperationalError, transaction
from django.utils import timezone

from playground.domain.status import Status
from playground.media import storage
from playground.models import Budget, Gateway, Generation, Video
from playground.services import budgets, collect, ledger
from tests.gateway.fake import Behaviour
from tests.services.test_saving import Place, film, finished, nothing_is_left, passed, places, saved  # noqa: F401

pytestmark = pytest.mark.django_db(transaction=True)
Places = Callable[[Behaviour], Place]


def stored() -> list[str]:
    return [key for folder in storage.FOLDERS for key, _ in storage.entries(folder)]


def costs_real_money(generation: Generation, place: Place, settings: Any) -> None:
    address = f"{place.server().origin}/openai/v1"
    settings.GATEWAY_BASE_URL, settings.GATEWAY_API_KEY, settings.GATEWAY_DIALECT = address, "key", "lumenfall"
    Gateway.objects.filter(id=generation.gateway_id).update(is_sandbox=False, slug="custom-x", base_url=address)


def test_tries_beside_a_counter_that_drifted_leave_no_file(places: Places, settings: Any) -> None:  # noqa: F811
    place = places(film())
    generation = finished(place, estimate_micros=320_000)
    costs_real_money(generation, place, settings)
    month = budgets.month_of(generation.team, timezone.now())
    Budget.objects.create(team=generation.team, month=month, cap_micros=None, held_micros=0)
    for _ in range(3):
        saved(generation)
        passed(generation, minutes=1)

    assert (generation.state, generation.error_code) == (Status.COMPLETED, "IntegrityError")
    assert nothing_is_left()


@pytest.mark.parametrize("fails", ["settle", "adopt"])
def test_any_error_leaves_no_file_and_is_the_one_that_is_told(
    places: Places,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    fails: str,
) -> None:
    """Also one at the last of the three files, when the others are in the store."""
    adopt = storage.adopt

    def refuses(*args: Any, **named: Any) -> None:
        if fails == "settle" or "/previews/" in f"/{args[1]}":
            raise ZeroDivisionError("no such sum")
        adopt(*args)

    monkeypatch.setattr(*((ledger, "settle", refuses) if fails == "settle" else (storage, "adopt", refuses)))
    generation = saved(finished(places(film())))

    assert generation.events.get(kind="saving_failed").data["code"] == "ZeroDivisionError"
    assert nothing_is_left()


def test_files_of_a_commit_whose_answer_was_lost_stay(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    settle = ledger.settle

    def settles_and_hears_nothing(**named: Any) -> None:
        settle(**named)
        transaction.on_commit(lost_connection)

    def lost_connection() -> None:
        raise OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr(ledger, "settle", settles_and_hears_nothing)
    generation = saved(finished(places(film())))

    assert generation.state is Status.DONE
    assert sorted(stored()) == sorted(Video.objects.values_list("key", "poster_key", "preview_key").get())


def test_files_stay_where_the_database_cannot_say_whether_they_have_a_row(
    places: Places,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The search for files without rows takes them a day later, should they have none."""

    def refuses(**named: Any) -> None:
        raise IntegrityError("held_micros")

    def is_away(*args: Any) -> bool:
        raise OperationalError("the database is away")

    monkeypatch.setattr(ledger, "settle", refuses)
    monkeypatch.setattr(collect, "_has_row", is_away)
    generation = saved(finished(places(film())))

    assert generation.events.get(kind="saving_failed").data["code"] == "IntegrityError"
    assert len(stored()) == 3
