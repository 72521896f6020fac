"""The card of a generation as a person reads it: its word, its sentence, its buttons."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

from django.test import Client
from django.urls import reverse

from playground.models import Generation, User


@dataclass
class Seen:
    """A card as a person sees it."""

    word: str = ""
    sentence: str = ""
    buttons: list[str] = field(default_factory=list)
    menu: list[str] = field(default_factory=list)
    stripe: bool = False
    hidden: dict[str, str] = field(default_factory=dict)


class CardReader(HTMLParser):
    """Reads the text of a card by the class names of its parts."""

    def __init__(self) -> None:
        super().__init__()
        self.seen, self.into, self.in_state, self.in_menu = Seen(), "", False, False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        names = values.get("class", "").split()
        self.in_state = "job__state" in names or (self.in_state and tag != "div")
        self.in_menu = self.in_menu or "job__menu" in names
        self.seen.stripe = self.seen.stripe or "stripe" in names
        if "job__word" in names:
            self.into = "word"
        elif self.in_state and tag == "span" and "hx-ignore" in values:
            self.into = "sentence"
        elif "btn--small" in names and not self.in_menu:
            self.into = "buttons"
        elif "menu__item" in names and "is-narrow" not in names:
            self.into = "menu"
        if values.get("type") == "hidden":
            self.seen.hidden[values["name"]] = values.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        self.into = ""

    def handle_data(self, data: str) -> None:
        if self.into in ("buttons", "menu"):
            getattr(self.seen, self.into).append(data.strip())
        elif self.into:
            setattr(self.seen, self.into, data.strip())


def read_card(user: User, generation: Generation) -> Seen:
    """The card of `generation` as the browser of `user` gets it."""
    browser = Client(headers={"HX-Request": "true"})
    browser.force_login(user)
    answer = browser.get(reverse("generations.card", args=[generation.id]))
    assert answer.status_code == 200
    reader = CardReader()
    reader.feed(answer.text)
    return reader.seen
