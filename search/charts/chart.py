"""A chart as data. What is shown is decided once; three modules draw it in their formats."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

# Okabe and Ito's palette for colour-blind readers (https://jfly.uni-koeln.de/color).
BLUE, ORANGE, GREEN, VERMILLION, PURPLE, SKY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9"
BLACK, GREY = "#24292f", "#b0b0b0"
PALETTE = (BLUE, ORANGE, GREEN, PURPLE, VERMILLION, SKY)

Kind = Literal["line", "step", "scatter", "bar", "barh", "events", "text"]


@dataclass(frozen=True)
class Series:
    """Points of one kind and colour. Only named series appear in the legend.

    ``bar`` has its heights in ``y``, ``barh`` its lengths in ``x``; ``events`` are short vertical lines around ``y``.
    NaN in ``y`` interrupts a line. ``low`` and ``high`` are the ends of each point's interval, ``text`` what a page
    shows under the pointer; of the kind ``text`` it is what is written at each point.
    """

    kind: Kind
    x: Sequence[float]
    y: Sequence[float]
    name: str = ""
    color: str = BLUE
    width: float = 1.5
    low: Sequence[float | None] = ()
    high: Sequence[float | None] = ()
    text: Sequence[str] = ()


@dataclass(frozen=True)
class Panel:
    """One pair of axes. ``categories`` name the positions 0, 1, ... of the y axis, ``x_categories`` of the x axis."""

    series: tuple[Series, ...]
    title: str = ""
    x_label: str = ""
    y_label: str = ""
    log_x: bool = False
    categories: tuple[str, ...] = ()
    x_categories: tuple[str, ...] = ()

    @property
    def has_whole_x(self) -> bool:
        """Whether x counts something, such as trials or epochs: its axis has no ticks between integers."""
        return all(isinstance(x, int) for series in self.series for x in series.x)


@dataclass(frozen=True)
class Chart:
    """A grid of panels, row by row. ``name`` is the name of its file; ``note`` qualifies what is shown."""

    name: str
    title: str
    panels: tuple[tuple[Panel, ...], ...]
    note: str = ""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return len(self.panels), len(self.panels[0])

    @property
    def rows_share_x(self) -> bool:
        """Whether only the last row names its x axes, because they are those of all rows."""
        return not any(panel.x_label for row in self.panels[:-1] for panel in row)

    @property
    def most_categories(self) -> int:
        """The largest number of named positions of a panel, which need height."""
        return max(len(panel.categories) for row in self.panels for panel in row)


def single(name: str, title: str, panel: Panel, note: str = "") -> Chart:
    """A chart with one panel."""
    return Chart(name, title, ((panel,),), note)
