"""A team's own gateways against a real sandbox with two accounts: who orders where, and with which key."""

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.utils import timezone

from playground import queue
from playground.domain.status import ENDED, Status
from playground.gateway.types import Limits, Timing
from playground.models import AuditEntry, Gateway, Generation, Membership, Role, Run, TeamModel, VideoModel
from playground.services import (
    agreed,
    catalogue,
    estimates,
    gateway_checks,
    gateways,
    keys_used,
    members,
    offers,
    pauses,
    price_checks,
    runs,
    sealing,
    submit,
    sweep,
    team_gateways,
    team_models,
    teams,
    typed_gateways,
)
from playground.services.typed_gateways import Typed
from tests import factories
from tests.bench import money, run_queue
from tests.sandbox_server import SandboxServer, start_sandbox

pytestmark = pytest.mark.django_db(transaction=True)

ONE, TWO = "lmnfl_key_of_team_one_0001", "lmnfl_key_of_team_two_0002"


@pytest.fixture(scope="module")
def both() -> Iterator[SandboxServer]:
    with start_sandbox(SANDBOX_API_KEYS=f"{ONE},{TWO}") as server:
        yield server


@pytest.fixture(autouse=True)
def local(settings: Any) -> None:
    """The sandbox of the tests is on this machine."""
    settings.TEAM_GATEWAYS_LOCAL = True
    cache.clear()


@pytest.fixture
def admin() -> Membership:
    return factories.make_member(role=Role.ADMIN)


@pytest.fixture
def other() -> Membership:
    return factories.make_member(role=Role.ADMIN)


def typed(server: SandboxServer, key: str = ONE, **values: Any) -> Typed:
    return replace(Typed(name="Ours", base_url=server.base_url, dialect="lumenfall", key=key), **values)


def connected(by: Membership, server: SandboxServer, key: str = ONE, *, use_it: bool = True) -> Gateway:
    """Connected, with its models read as the worker reads them."""
    gateway = team_gateways.connect(by=by, typed=typed(server, key), use_it=use_it)
    run_queue()
    gateway.refresh_from_db()
    return gateway


def order(by: Membership, slug: str = "p-video", prompt: str = "A calm sea") -> Run:
    model = offers.Offers(by).find(slug)
    assert model is not None
    lengths = model.takes.lengths
    wanted = estimates.Wanted(model=model, size=model.takes.sizes[0], seconds=lengths.minimum or lengths.shortest)
    quote = estimates.quote(by=by, wanted=wanted)
    assert quote.total_micros is not None, quote
    token = runs.new_token()
    return runs.start(by=by, wanted=wanted, prompt=prompt, token=token, quoted_micros=quote.total_micros)


def step() -> None:
    now = timezone.now()
    Generation.objects.filter(next_check_at__gt=now).update(next_check_at=now - timedelta(milliseconds=1))
    sweep.sweep_once(now=now)
    run_queue()


def driven(run: Run) -> Generation:
    ends_at = time.monotonic() + 60
    while (generation := run.generations.get()).state not in ENDED:
        assert time.monotonic() < ends_at, list(generation.events.values())
        step()
    return generation


def charges(server: SandboxServer, generation: Generation) -> list[Any]:
    return [charge for charge in server.charges() if charge["idempotency_key"] == str(generation.id)]


def test_team_orders_through_its_own_gateway_with_its_own_key(both: SandboxServer, admin: Membership) -> None:
    gateway = connected(admin, both)

    assert (gateway.key_last4, gateway.key_set_by, gateway.is_default) == ("0001", admin.user, True)
    assert ONE not in gateway.sealed_key
    assert gateway.models.count() > 3
    done = driven(order(admin))
    assert (done.state, done.gateway_id) == (Status.DONE, gateway.id)
    assert len(charges(both, done)) == 1
    assert set(money(done)) == {"hold", "settle"} or set(money(done)) == {"hold", "settle", "release"}
    assert AuditEntry.objects.get(kind="gateway_connected").data["gateway"] == str(gateway.id)


def test_first_videos_are_never_ordered_from_a_gateway_of_the_team(both: SandboxServer, admin: Membership) -> None:
    connected(admin, both)
    assert catalogue.default_gateway().is_sandbox

    with pytest.raises(CommandError, match="sandbox only"):
        call_command("seed", count=1)
    assert not Run.objects.exists()


def test_two_teams_with_two_keys_at_one_address_never_meet(
    both: SandboxServer, admin: Membership, other: Membership
) -> None:
    mine, theirs = connected(admin, both, ONE), connected(other, both, TWO)

    first, second = driven(order(admin)), driven(order(other))
    assert (first.gateway_id, second.gateway_id) == (mine.id, theirs.id)
    assert (first.state, second.state) == (Status.DONE, Status.DONE)
    accounts = {charge["account"] for made in (first, second) for charge in charges(both, made) if "account" in charge}
    assert len(accounts) in (0, 2)
    assert gateways.config_of(mine).api_key != gateways.config_of(theirs).api_key
    assert keys_used._place(mine) != keys_used._place(theirs)


def test_other_teams_gateway_is_offered_ordered_and_changed_by_nobody_else(
    both: SandboxServer, admin: Membership, other: Membership
) -> None:
    gateway = connected(admin, both)
    model = gateway.models.get(slug="p-video")

    assert catalogue.gateway_of(other.team_id).team_id is None
    assert not offers.is_offered(by=other, model=model)
    assert offers.Offers(other).find("p-video") is None
    wanted = estimates.Wanted(model=model, size=model.takes.sizes[0], seconds=4)
    with pytest.raises(runs.ModelGone):
        runs.start(by=other, wanted=wanted, prompt="x", token="t", quoted_micros=10**9)
    for deed in (
        lambda: team_gateways.use(by=other, gateway=gateway),
        lambda: team_gateways.remove(by=other, gateway=gateway),
        lambda: team_gateways.change(by=other, gateway=gateway, name="x", honours=()),
        lambda: team_gateways.replace_key(by=other, gateway=gateway, key=TWO),
    ):
        with pytest.raises(Gateway.DoesNotExist):
            deed()
    assert not Generation.objects.exists()


def test_only_admins_connect(both: SandboxServer) -> None:
    with pytest.raises(teams.NotAdmin):
        team_gateways.connect(by=factories.make_member(), typed=typed(both), use_it=True)


def removed_while_asked(monkeypatch: pytest.MonkeyPatch, name: str, by: Membership, gone: Membership) -> None:
    """The gateway answers well, and while it does `by` removes `gone`."""

    def answer(*_: Any, **__: Any) -> gateway_checks.CheckResult:
        members.remove(by=by, member=gone)
        return gateway_checks.CheckResult(ok=True, words="", model_count=1)

    monkeypatch.setattr(typed_gateways, name, answer)


def test_admin_removed_while_the_gateway_is_asked_connects_nothing(
    both: SandboxServer, admin: Membership, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = factories.make_member(team=admin.team, role=Role.ADMIN)
    removed_while_asked(monkeypatch, "ask", admin, second)

    with pytest.raises(teams.NotAdmin):
        team_gateways.connect(by=second, typed=typed(both), use_it=True)
    assert not Gateway.objects.filter(team=admin.team).exists()


def test_admin_removed_while_the_gateway_is_asked_replaces_no_key(
    both: SandboxServer, admin: Membership, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = connected(admin, both)
    second = factories.make_member(team=admin.team, role=Role.ADMIN)
    removed_while_asked(monkeypatch, "ask_with", admin, second)

    with pytest.raises(teams.NotAdmin):
        team_gateways.replace_key(by=second, gateway=gateway, key=TWO)
    assert Gateway.objects.get(id=gateway.id).sealed_key == gateway.sealed_key


def test_admin_who_is_none_any_more_changes_no_gateway_and_no_model(both: SandboxServer, admin: Membership) -> None:
    gateway = connected(admin, both)
    model = gateway.models.order_by("slug")[0].id
    second = factories.make_member(team=admin.team, role=Role.ADMIN)
    Membership.objects.filter(id=second.id).update(role=Role.CREATOR)

    off = {model: team_models.Choice(enabled=False)}
    for deed in (
        lambda: team_gateways.change(by=second, gateway=gateway, name="Mine", honours=()),
        lambda: team_gateways.use(by=second, gateway=None),
        lambda: team_gateways.remove(by=second, gateway=gateway),
        lambda: team_models.change(by=second, to=off, shown={}, default=None, default_shown=None),
    ):
        with pytest.raises(teams.NotAdmin):
            deed()
    now = Gateway.objects.get(id=gateway.id)
    assert (now.name, now.is_default, now.removed_at) == ("Ours", True, None)
    assert not TeamModel.objects.exists()


def test_wrong_key_is_refused_before_it_is_stored(both: SandboxServer, admin: Membership) -> None:
    with pytest.raises(typed_gateways.NoGoodAnswer) as refused:
        connected(admin, both, "lmnfl_no_such_key_9999")
    assert "refused the key" in refused.value.result.words
    assert not Gateway.objects.filter(team=admin.team).exists()


def test_key_that_stops_working_pauses_that_gateway_alone_until_it_is_replaced(
    both: SandboxServer, admin: Membership, other: Membership
) -> None:
    mine, theirs = connected(admin, both, ONE), connected(other, both, TWO)
    run = order(admin)
    Gateway.objects.filter(id=mine.id).update(sealed_key=sealing.seal("lmnfl_taken_back_by_its_owner"))
    step()

    mine.refresh_from_db()
    theirs.refresh_from_db()
    assert (mine.paused_reason, theirs.paused_reason) == (pauses.KEY, "")
    assert driven(order(other)).state is Status.DONE
    assert run.generations.get().state is Status.QUEUED

    team_gateways.replace_key(by=admin, gateway=mine, key=ONE)
    assert Gateway.objects.get(id=mine.id).paused_at is None
    assert driven(run).state is Status.DONE


def test_key_of_another_account_put_in_while_an_order_runs_loses_and_repeats_nothing(
    both: SandboxServer, admin: Membership
) -> None:
    gateway = connected(admin, both, ONE)
    run = order(admin)
    submit.submit_queued(run.generations.get().id)
    assert run.generations.get().state in (Status.SUBMITTED, Status.RUNNING)
    team_gateways.replace_key(by=admin, gateway=gateway, key=TWO)
    for _ in range(6):
        step()

    waits = run.generations.get()
    assert waits.state in (Status.SUBMITTED, Status.RUNNING)
    assert len(charges(both, waits)) == 1
    assert list(money(waits)) == ["hold"]

    team_gateways.replace_key(by=admin, gateway=Gateway.objects.get(id=gateway.id), key=ONE)
    assert driven(run).state is Status.DONE


def test_order_whose_answer_got_lost_is_not_sent_again_with_a_key_that_was_replaced(
    both: SandboxServer, admin: Membership
) -> None:
    gateway = connected(admin, both, ONE)
    row = order(admin).generations.get()
    claim_id = submit.claim_queued(
        Generation.objects.select_related("gateway", "team").get(id=row.id), now=timezone.now()
    )
    assert claim_id is not None
    team_gateways.replace_key(by=admin, gateway=gateway, key=TWO)
    for _ in range(4):
        step()

    assert charges(both, row) == []
    assert Generation.objects.get(id=row.id).state is Status.UNKNOWN


def test_order_goes_out_with_the_key_whose_mark_it_has(
    both: SandboxServer, admin: Membership, monkeypatch: Any
) -> None:
    """A key that is replaced between the claim and the sending is not the one that is sent with."""
    gateway = connected(admin, both, ONE)
    row = order(admin).generations.get()
    queue.take_all()
    claim = submit.claim_queued

    def then_replaced(*args: Any, **options: Any) -> Any:
        claimed = claim(*args, **options)
        Gateway.objects.filter(id=gateway.id).update(sealed_key=sealing.seal(TWO))
        return claimed

    monkeypatch.setattr(submit, "claim_queued", then_replaced)
    used: list[str] = []
    client_for = gateways.client_for
    monkeypatch.setattr(
        gateways, "client_for", lambda g, **o: used.append(gateways.config_of(g).api_key) or client_for(g, **o)
    )
    submit.submit_queued(row.id)

    assert used == [ONE]


def test_gateway_with_orders_under_way_is_not_removed(both: SandboxServer, admin: Membership) -> None:
    gateway = connected(admin, both)
    run = order(admin)
    with pytest.raises(team_gateways.InUse) as refused:
        team_gateways.remove(by=admin, gateway=gateway)
    assert refused.value.count == 1
    done = driven(run)

    team_gateways.remove(by=admin, gateway=gateway)
    gateway.refresh_from_db()
    assert (gateway.sealed_key, gateway.key_last4, gateway.is_default) == ("", "", False)
    assert gateway.removed_at
    assert Generation.objects.get(id=done.id).gateway_id == gateway.id
    assert catalogue.gateway_of(admin.team_id).team_id is None
    with pytest.raises(gateways.GatewayNotConfigured):
        gateways.config_of(gateway)
    assert catalogue.due_of_teams(now=timezone.now() + timedelta(days=1)) == []


@pytest.mark.parametrize("status", [Status.LOST, Status.OUTPUT_LOST])
def test_gateway_stays_while_a_lost_video_is_looked_for_there(admin: Membership, status: Status) -> None:
    gateway, now = factories.make_gateway(team=admin.team, is_sandbox=False), timezone.now()
    model = factories.make_model(gateway=gateway)
    factories.make_generation(by=admin, model=model, status=status, upstream_id="video_1", ended_at=now)
    factories.make_generation(by=admin, model=model, status=status, upstream_id=None, ended_at=now)

    with pytest.raises(team_gateways.InUse) as refused:
        team_gateways.remove(by=admin, gateway=gateway, now=now + timedelta(hours=23))
    assert refused.value.count == 1
    team_gateways.remove(by=admin, gateway=gateway, now=now + timedelta(hours=25))
    assert Gateway.objects.get(id=gateway.id).removed_at


def test_press_that_comes_after_the_gateway_was_removed_orders_nothing(
    both: SandboxServer, admin: Membership, monkeypatch: Any
) -> None:
    """Removed between the look at what is offered and the rows of the order."""
    gateway = connected(admin, both)
    priced = agreed.priced

    def then_removed(*args: Any, **options: Any) -> Any:
        quote = priced(*args, **options)
        team_gateways.remove(by=admin, gateway=gateway)
        return quote

    monkeypatch.setattr(agreed, "priced", then_removed)
    with pytest.raises(runs.ModelGone):
        order(admin)
    assert not Generation.objects.exists()


def test_choice_moves_what_is_offered_and_nothing_that_was_ordered(both: SandboxServer, admin: Membership) -> None:
    gateway = connected(admin, both, use_it=False)
    assert catalogue.gateway_of(admin.team_id).team_id is None
    assert team_gateways.use(by=admin, gateway=gateway)
    assert not team_gateways.use(by=admin, gateway=gateway)
    run = order(admin)
    assert team_gateways.use(by=admin, gateway=None)

    assert catalogue.gateway_of(admin.team_id).team_id is None
    assert driven(run).gateway_id == gateway.id
    kinds = AuditEntry.objects.filter(team=admin.team, kind="gateway_chosen").count()
    assert kinds == 2


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("http://gateway.example/v1", "https"),
        ("https://gateway.example:8443/v1", "443"),
        ("https://me:secret@gateway.example/v1", "user name"),
        ("ftp://gateway.example/v1", "https"),
        ("nonsense", "not a web address"),
    ],
)
def test_address_that_may_not_be_connected_is_refused(settings: Any, admin: Membership, address: str, why: str) -> None:
    settings.TEAM_GATEWAYS_LOCAL = False
    with pytest.raises(typed_gateways.WrongAddress, match=why):
        team_gateways.connect(by=admin, typed=Typed(name="x", base_url=address, dialect="openai", key=ONE), use_it=True)


@pytest.mark.parametrize("host", ["127.0.0.1", "10.0.0.7", "[::1]", "169.254.169.254", "localhost"])
def test_private_place_is_refused_where_it_is_dialled(settings: Any, admin: Membership, host: str) -> None:
    settings.TEAM_GATEWAYS_LOCAL = False
    result = typed_gateways.ask(Typed(name="x", base_url=f"https://{host}/v1", dialect="openai", key=ONE))
    assert not result.ok
    assert "private network" in result.words


def test_gateway_that_was_local_is_not_reached_once_the_installation_allows_it_no_more(
    settings: Any, both: SandboxServer, admin: Membership
) -> None:
    gateway = connected(admin, both)
    settings.TEAM_GATEWAYS_LOCAL = False
    with pytest.raises(gateways.GatewayNotConfigured):
        gateways.config_of(gateway)


@pytest.mark.parametrize("key", ["", "two words", "gAAAAABsealed", "schlüssel", "x" * 1025])
def test_what_can_be_no_key_is_refused(both: SandboxServer, key: str) -> None:
    with pytest.raises(typed_gateways.WrongKey) as refused:
        typed_gateways.ask(typed(both, key))
    assert not key or key not in str(refused.value)


def test_without_keys_to_seal_with_nothing_is_connected(settings: Any, both: SandboxServer, admin: Membership) -> None:
    settings.SECRETS_KEYS = []
    with pytest.raises(team_gateways.CannotKeep, match="SECRETS_KEYS"):
        connected(admin, both)


def test_key_that_cannot_be_opened_stops_the_gateway_and_is_never_sent_as_it_is(
    settings: Any, both: SandboxServer, admin: Membership
) -> None:
    gateway = connected(admin, both)
    run = order(admin)
    settings.SECRETS_KEYS = [Fernet.generate_key().decode()]
    heard = len(both.requests())
    for _ in range(3):
        step()

    assert len(both.requests()) == heard
    assert run.generations.get().state is Status.QUEUED
    assert not gateway_checks.check(gateway).ok
    assert Gateway.objects.get(id=gateway.id).sealed_key == gateway.sealed_key


def test_models_of_teams_are_read_in_turn_and_few_at_once(both: SandboxServer, admin: Membership) -> None:
    now = timezone.now()
    rows = [factories.make_gateway(is_sandbox=False, team=admin.team, sealed_key="x", key_set_at=now) for _ in range(5)]
    first = catalogue.due_of_teams(now=now)
    assert len(first) == catalogue.AT_ONCE
    assert catalogue.due_of_teams(now=now + timedelta(seconds=5)) == []
    second = catalogue.due_of_teams(now=now + timedelta(seconds=36))
    assert len(second) == catalogue.AT_ONCE
    assert not set(first) & set(second)
    assert set(first + second) < {row.id for row in rows}


def test_gateway_that_fails_and_fails_is_asked_for_models_more_and_more_rarely(admin: Membership) -> None:
    began = timezone.now()
    gateway = factories.make_gateway(is_sandbox=False, team=admin.team, sealed_key="x", key_set_at=began)
    gaps, at = [], began
    for _ in range(12):
        ready = next(
            s
            for s in range(1, 4000, 5)
            if catalogue._is_time(Gateway.objects.get(id=gateway.id), at + timedelta(seconds=s))
        )
        at += timedelta(seconds=ready)
        assert catalogue.due_of_teams(now=at) == [gateway.id]
        Gateway.objects.update(sync_failed_at=at + timedelta(seconds=1))
        gaps.append(ready)

    assert gaps[1] <= 66
    assert gaps == sorted(gaps)
    assert gaps[-1] > 120


def test_paused_gateways_are_probed_each_by_a_task_of_its_own(admin: Membership) -> None:
    now = timezone.now()
    rows = [factories.make_gateway(is_sandbox=False, team=admin.team) for _ in range(3)]
    for row in rows:
        pauses.pause(row, reason=pauses.KEY, now=now - pauses.PROBE_FIRST)
    assert len(pauses.due(now=now)) == pauses.PROBES_AT_ONCE
    pauses.probe_due(only=rows[0].id, now=now)
    checks = dict(Gateway.objects.values_list("id", "resume_check_at"))
    assert checks[rows[0].id] > now
    assert checks[rows[1].id] == checks[rows[2].id] <= now


def test_slow_gateway_of_a_team_takes_no_place_of_others_price_checks(admin: Membership, other: Membership) -> None:
    own = factories.make_gateway(is_sandbox=False, team=admin.team)
    mine = estimates.Wanted(model=factories.make_model(gateway=own), size="1280x720", seconds=4)
    shared = estimates.Wanted(
        model=factories.make_model(gateway=catalogue.default_gateway()), size="1280x720", seconds=4
    )
    assert not set(estimates._slots(mine)) & set(estimates._slots(shared))
    assert estimates._slots(shared) == estimates.SLOTS


def test_what_a_gateway_said_to_an_earlier_key_is_not_remembered_of_the_next(
    both: SandboxServer, admin: Membership, monkeypatch: Any
) -> None:
    gateway = connected(admin, both)
    model = gateway.models.get(slug="p-video")
    wanted = estimates.Wanted(model=model, size=model.takes.sizes[0], seconds=4)
    Gateway.objects.filter(id=gateway.id).update(sealed_key=sealing.seal("lmnfl_taken_back_by_its_owner"))
    assert estimates.quote(by=admin, wanted=wanted).state is price_checks.QuoteState.UNAVAILABLE
    later = timezone.now() + timedelta(seconds=2)
    team_gateways.replace_key(by=admin, gateway=gateway, key=ONE, now=later)
    again = replace(wanted, model=VideoModel.objects.get(id=model.id))
    assert estimates.quote(by=admin, wanted=again).state is price_checks.QuoteState.ESTIMATED


def test_declared_words_become_what_it_is_trusted_with(both: SandboxServer, admin: Membership) -> None:
    gateway = connected(admin, both)
    assert typed_gateways.words_of(gateway) == list(typed_gateways.WORDS)
    team_gateways.change(by=admin, gateway=gateway, name="Renamed", honours=("cancel",))
    gateway.refresh_from_db()
    assert (gateway.name, typed_gateways.words_of(gateway)) == ("Renamed", ["cancel"])
    Gateway.objects.filter(id=gateway.id).update(dialect="openai")
    of_another = Gateway.objects.get(id=gateway.id)
    with pytest.raises(typed_gateways.WrongWords):
        team_gateways.change(by=admin, gateway=of_another, name="Renamed", honours=("request-log",))


def test_a_page_waits_a_bounded_time_for_a_test() -> None:
    limits = gateway_checks.limits()
    assert isinstance(limits, Limits)
    assert isinstance(limits.models, Timing)
    assert limits.models.total + limits.balance.total <= 20
