"""The result of one check, and running checks that may themselves fail."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Check:
    """What was found, and what to do about it; ``advice`` is empty if nothing has to be done."""

    name: str
    found: str
    advice: str = ""

    @property
    def is_ok(self) -> bool:
        return not self.advice


def results(checks: dict[str, Callable[[], Check]]) -> Iterator[Check]:
    """Run checks one after another, by name. A check that raises counts as failed, and the others still run."""
    for name, check in checks.items():
        try:
            yield check()
        except Exception as error:
            yield Check(
                name, f"{type(error).__name__}: {error}".strip(), "fix this, then run `nlb-search doctor` again"
            )
