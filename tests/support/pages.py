"""Forms of a page, as a browser sends them."""

from html.parser import HTMLParser


class Forms(HTMLParser):
    """Collects `(action, {name: value})` of each form that is sent by POST."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[str, dict[str, str]]] = []
        self._open: dict[str, str] | None = None
        self._select = self._area = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form" and given.get("method", "").lower() == "post":
            self._open = {}
            self.found.append((given.get("action", ""), self._open))
        if self._open is None:
            return
        name = given.get("name", "")
        if tag == "input" and name:
            self._input(name, given)
        elif tag == "textarea":
            self._area = name
            self._open[name] = ""
        elif tag == "select":
            self._select = name
        elif tag == "option" and self._select and ("selected" in given or self._select not in self._open):
            self._open[self._select] = given.get("value", "")

    def _input(self, name: str, given: dict[str, str]) -> None:
        assert self._open is not None
        if given.get("type") not in ("radio", "checkbox"):
            self._open[name] = given.get("value", "")
        elif "checked" in given:
            self._open[name] = given.get("value", "on")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._open = None
        elif tag == "select":
            self._select = ""
        elif tag == "textarea":
            self._area = ""

    def handle_data(self, data: str) -> None:
        if self._open is not None and self._area:
            self._open[self._area] += data


def form_of(page: str, action: str) -> dict[str, str]:
    """The form that is sent to `action`, without its proof against forged ones."""
    forms = Forms()
    forms.feed(page)
    found = next(fields for where, fields in forms.found if where in (action, ""))
    return {name: value for name, value in found.items() if name != "csrfmiddlewaretoken"}
