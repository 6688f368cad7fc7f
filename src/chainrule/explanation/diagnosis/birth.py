"""The birth of a NaN or an infinity is the first operation and element whose inputs were finite and whose result is not."""
from __future__ import annotations

from dataclasses import dataclass

from ..faces.answer import Answer
from ..faces.answers_data import birth_json
from ..faces.lines import short_line
from ..formulas.writing import plain_number
from ..record.places import drawn, paragraph
from .arithmetic import Index
from .diagnosis_html import birth_drawn
from .fixes import Fix

SAID = {"forward": "born in {}", "backward": "born going back through {}", "merge": "born where contributions to {} add up",
        "hook": "born in a hook on {}", "given": "given in {}"}


@dataclass(frozen=True, repr=False)
class Birth(Answer):
    """Where the first NaN or infinity behind a loss came from.

    `kind` is "healthy", "forward" (an operation), "backward" (a contribution to a gradient), "merge" (a sum of finite
    contributions), "hook", or "given" (it was in the data). `index` is the element: of the result going forward, of the argument
    going backward. `path` leads from there to the loss; going backward, from the loss through it to the leaf. `fix` is a rewrite
    that was tried and works, or None.
    """

    kind: str
    operation: str | None = None
    index: Index = ()
    line: str | None = None
    value: str = ""
    arithmetic: str = ""
    path: tuple[str, ...] = ()
    fix: Fix | None = None

    def text(self, width: int = 80) -> str:
        """The answer in words, for a page `width` columns wide."""
        if self.kind == "healthy":
            return f"{self.headline()}\n"
        at = f", {short_line(self.line)}" if self.line else ""
        lines = paragraph(f"{self.headline()}{at}:", width, "")
        lines += paragraph(self.arithmetic, width)
        lines += paragraph(f"path: {drawn(self.path)}", width)
        lines += paragraph(self.remedy(), width, "")
        return "\n".join(lines) + "\n"

    def headline(self) -> str:
        if self.kind == "healthy":
            return "Nothing is wrong: the loss and all gradients behind it are finite."
        element = f" at [{','.join(map(str, self.index))}]" if self.index else ""
        return f"The first {self.value.replace('nan', 'NaN')} was {SAID[self.kind].format(self.operation)}{element}"

    def remedy(self) -> str:
        if self.fix:
            return (f"Fix, tried: {self.fix.title}. The loss becomes {plain_number(self.fix.loss)}, and its largest gradient "
                    f"{plain_number(self.fix.largest_gradient)}.")
        if self.kind == "given":
            return "It was given, not computed: clean the data."
        return "No rewrite that was tried makes the loss and all gradients finite."

    def json(self) -> str:
        """All facts as JSON; docs/json.md says what each entry means."""
        return birth_json(self)

    def html(self) -> str:
        """The same as the text, for a notebook or a page."""
        return birth_drawn(self)

    def __repr__(self) -> str:
        return f"<birth: {self.kind}{f' in {self.operation} {list(self.index)}' if self.operation else ''}; print it>"
