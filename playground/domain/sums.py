"""What some videos cost together."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sums:
    """Of some videos, in micros. `priced` and `compared` speak only of those that had a price and have a cost."""

    videos: int = 0
    cost: int = 0
    aside: int = 0
    """Set aside for those whose cost is not known yet."""
    waiting: int = 0
    """How many these are."""
    priced: int = 0
    compared: int = 0

    def __add__(self, other: "Sums") -> "Sums":
        return Sums(
            self.videos + other.videos,
            self.cost + other.cost,
            self.aside + other.aside,
            self.waiting + other.waiting,
            self.priced + other.priced,
            self.compared + other.compared,
        )

    @property
    def beyond(self) -> int:
        """What the videos cost more than their price; negative: less."""
        return self.compared - self.priced
