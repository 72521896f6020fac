"""Why an order was not taken. Whatever is raised here, nothing was sent and nothing set aside."""

from django.core.exceptions import PermissionDenied

from playground.models import Run, VideoModel
from playground.services.estimates import Quote


class NotAllowed(PermissionDenied):
    """This person may look, but not spend; or is not in the team any more."""


class BadToken(Exception):
    """The submit token is none that `new_token` makes: empty, over 64 characters, or not plain visible ASCII."""


class StorageFull(Exception):
    """There is no room to save what would be made."""

    def __init__(self, free_bytes: int) -> None:
        super().__init__(f"{free_bytes} bytes free")
        self.free_bytes = free_bytes


class ModelGone(Exception):
    """Retired, of an earlier gateway, or switched off by the team."""

    def __init__(self, model: VideoModel) -> None:
        super().__init__(model.slug)
        self.model = model


class AlreadySent(Exception):
    """The token was used for something else. `run` is what it made."""

    def __init__(self, run: Run) -> None:
        super().__init__(str(run.id))
        self.run = run


class OfPrice(Exception):
    """Something about the price or the limits of `quote`."""

    def __init__(self, quote: Quote) -> None:
        super().__init__(quote.state)
        self.quote = quote


class PriceMoved(OfPrice):
    """It costs more now than the button said."""

    def __init__(self, quote: Quote, was_micros: int | None) -> None:
        super().__init__(quote)
        self.was_micros = was_micros


class NotPriced(OfPrice):
    """There is no price, and none was accepted."""


class OverBudget(OfPrice):
    """The month's money does not reach."""


class SpendingClosed(OfPrice):
    """An admin paused all spending, or none has accepted the limits yet: `quote` says which, if it was drawn later."""


class NeedsConfirmation(OfPrice):
    """It costs more than the team's threshold, and the sum was not confirmed."""
