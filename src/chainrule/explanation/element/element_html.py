"""The fragment of an element is its reckoning in HTML: who uses the number, its largest terms, their sum beside the gradient."""
from __future__ import annotations

from ..faces.fragments import code, fragment, joined, listing, number, paragraph, source, strong, table
from .reckoning import by_result, counted, headline, label, made, ranked, sentences, sums
from .terms import Reconciled, summed


def drawn(s: Reconciled, most: int) -> str:
    """The whole account of one element, with the `most` largest terms and the rest as one."""
    shown, rest = ranked(s, most)
    rows = [[code(label(t)), number(t.upstream), number(t.local), number(t.value)] for t in shown]
    if rest:
        rows.append([counted(len(rest), "other term"), "", "", number(summed(t.value for t in rest))])
    return fragment(
        paragraph(strong(headline(s))),
        listing(joined([code(made(result)), " ", source(result.source), *("\n" + said for said in sentences(s, result, uses))])
                for result, uses in by_result(s)),
        table(["from", "upstream", "× local", "= term"], rows, "Terms, the largest first"),
        table(["", "value", ""], [[what, number(x, written), note] for what, x, written, note in sums(s)], "Check"),
        label=headline(s))
