"""What a member can order from: which models are offered, and which is taken where none or a wrong one is named."""

from typing import Any

from playground.models import Lifecycle, TeamModel, VideoModel
from playground.services import offers
from playground.services.offers import Offers
from tests.bench import Bench, bench, sandbox  # noqa: F401  fixtures


def test_switched_off_model_is_not_offered(bench: Bench) -> None:  # noqa: F811
    TeamModel.objects.create(team=bench.team, model=bench.model(), enabled=False)

    assert "p-video" not in [model.slug for model in Offers(bench.membership).models]
    assert not offers.is_offered(by=bench.membership, model=bench.model())
    assert offers.is_offered(by=bench.membership, model=bench.model("kling-v3"))


def test_retired_model_is_found_and_not_offered(bench: Bench) -> None:  # noqa: F811
    VideoModel.objects.filter(slug="kling-v3").update(lifecycle=Lifecycle.RETIRED)
    now = Offers(bench.membership)

    assert now.find("kling-v3") == now.find("kling-3") == bench.model("kling-v3")
    assert bench.model("kling-v3") not in now.models
    assert not offers.is_offered(by=bench.membership, model=bench.model("kling-v3"))


def test_one_page_reads_gateway_and_models_once(bench: Bench, django_assert_num_queries: Any) -> None:  # noqa: F811
    now = Offers(bench.membership)
    with django_assert_num_queries(2):
        found = now.find("kling-v3")
        assert found is not None
        assert found in now.models
        assert now.nearest_live(found, with_reference=False)
        assert found.gateway == now.gateway


def test_preselected_is_the_last_used_then_the_default_then_the_cheapest(bench: Bench) -> None:  # noqa: F811
    by = bench.membership
    cheapest = Offers(by).preselected()
    TeamModel.objects.create(team=bench.team, model=bench.model("kling-v3"), is_default=True)
    default = Offers(by).preselected()
    bench.start("A boat", wanted=bench.wanted("wan-2.6"))
    last = Offers(by).preselected()

    assert [m.slug for m in (cheapest, default, last) if m] == ["p-video", "kling-v3", "wan-2.6"]


def test_alias_finds_its_model(bench: Bench) -> None:  # noqa: F811
    found = Offers(bench.membership).find("kling-3")

    assert found == bench.model("kling-v3")


def test_nearest_live_takes_the_same_input(bench: Bench) -> None:  # noqa: F811
    nearest = Offers(bench.membership).nearest_live(bench.model("sora-2"), with_reference=True)

    assert nearest is not None
    assert nearest.takes.image_to_video
