"""What a test of a fault has promised and measured: a row or some of docs/reliability.md.

A promise holds on a machine that has nothing else to do. A busy one is slower, so a test fails only
where it is missed by far; the document says of each figure whether the promise was held.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Self

BY_FAR = float(os.environ.get("SPACE_FAULTS_BY_FAR", "5"))


@dataclass
class Figure:
    """One measurement. `promised`: the most that it may be; None where nothing is promised."""

    what: str
    value: float
    unit: str = ""
    promised: float | None = None

    @property
    def is_held(self) -> bool:
        return self.promised is None or self.value <= self.promised


@dataclass
class Measured:
    """Of one fault. `ended`: sessions that came to their end at the deadline in it."""

    fault: str
    promise: str
    test: str = ""
    figures: list[Figure] = field(default_factory=list)
    audit: dict[str, int] = field(default_factory=dict)
    audits: int = 0
    ended: int = 0
    outcome: str = ""

    def __call__(
        self, what: str, value: float, unit: str = "", *, promised: float | None = None
    ) -> None:
        """Notes the figure. Fails where it misses what is promised by far."""
        self.figures.append(Figure(what, value, unit, promised))
        assert promised is None or value <= promised * BY_FAR, (
            f"{what}: {value:g} {unit}, promised are {promised:g}"
        )

    def audited(self, found: dict[str, int], ended: int) -> None:
        self.audit = {what: self.audit.get(what, 0) + count for what, count in found.items()}
        self.audits += 1
        self.ended += ended

    @property
    def is_held(self) -> bool:
        return self.outcome == "passed" and all(figure.is_held for figure in self.figures)

    def save(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        name = "".join(c if c.isalnum() or c in "+-" else "_" for c in self.test)[-150:]
        (folder / f"{name}.json").write_text(json.dumps(asdict(self), indent=1))

    @classmethod
    def read(cls, file: Path) -> Self:
        plain = json.loads(file.read_text())
        plain["figures"] = [Figure(**figure) for figure in plain["figures"]]
        return cls(**plain)


def quantile(values: Iterable[float], share: float) -> float:
    """Of at least one value; the nearest one that is there."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
