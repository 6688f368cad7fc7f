"""A reckoning shows one number of a gradient as a sum: the largest terms, the rest as one, and the sum beside the gradient."""
from __future__ import annotations

import textwrap

from chainrule.errors import ArgumentError

from ..faces.lines import short_line
from ..faces.table import table
from ..formulas.writing import plain_number, text
from ..record.facts import Node
from .terms import Index, Reconciled, Term, Use, summed

DIGITS = 12  # where two numbers are to be compared


def reckoning(s: Reconciled, width: int, most: int) -> str:
    """The whole account of one element on lines of at most `width` characters."""
    uses = [line for result, its in by_result(s) for line in told(s, result, its, width)]
    return "\n".join([*textwrap.wrap(headline(s), width), *uses, "", *terms(s, width, most), *reconciled(s, width)]) + "\n"


def headline(s: Reconciled) -> str:
    count = f"the sum of {len(s.terms)} terms" if len(s.terms) > 1 else "1 term" if s.terms else "no term"
    return (f"{text(s.facts[s.node].gradient_name)}{brackets(s.index)} = {plain_number(s.gradient)}: {count}"
            + (", upstream × local derivative" if s.terms else ""))


def by_result(s: Reconciled) -> list[tuple[Node, list[Use]]]:
    """Each result that uses the number, with its uses: one for each argument that the number is."""
    found: dict[str, list[Use]] = {}
    for u in s.uses:
        found.setdefault(u.result, []).append(u)
    return [(s.facts[name], uses) for name, uses in found.items()]


def made(result: Node) -> str:
    """A result with the formula that made it."""
    return f"{result.name} = {text(result.formula)}" if result.formula else result.name


def told(s: Reconciled, result: Node, uses: list[Use], width: int) -> list[str]:
    """How one result uses the number: its formula and line, and for each argument that it is, how many terms come of it."""
    where = f"  ({short_line(result.source)})" if result.source else ""
    first = textwrap.shorten(made(result), max(width - 2 - len(where), width // 2), placeholder=" …") + where
    return ["", *(piece for line in [first, *sentences(s, result, uses)]
                  for piece in textwrap.wrap(line, width, initial_indent="  ", subsequent_indent="    "))]


def sentences(s: Reconciled, result: Node, uses: list[Use]) -> list[str]:
    return [sentence(s, result, u, f" as argument {u.position + 1}" if len(uses) > 1 else "") for u in uses]


def sentence(s: Reconciled, result: Node, u: Use, argument: str) -> str:
    number, others = f"{s.node}{brackets(s.index)}", u.elements - u.terms
    if not u.terms:
        return f"{number} was used by none of the {u.elements} elements{argument}: no term"
    rest = f". The other {others} of {u.elements} {'does' if others == 1 else 'do'} not depend on it." if others else ""
    return f"{number} was used by {users(result, u)}{argument}: {counted(u.terms, 'term')}{rest}"


def users(result: Node, u: Use) -> str:
    """The elements of a result that depend on the number: 32 rows, 10 columns, 8×6×6 = 288 elements."""
    varying = [axis for axis, n in enumerate(u.counts or ()) if n > 1]
    if len(varying) == 1 and len(result.shape) == 2:
        return f"{u.terms} {('rows', 'columns')[varying[0]]}"
    if u.counts and len(varying) > 1:
        return f"{'×'.join(str(n) for n in u.counts if n > 1)} = {u.terms} elements"
    return counted(u.terms, "element")


def terms(s: Reconciled, width: int, most: int) -> list[str]:
    """The largest terms, and the rest as one."""
    if not s.terms:
        return []
    shown, rest = ranked(s, most)
    rows = [[label(t), plain_number(t.upstream), f"× {signed(t.local)}", plain_number(t.value)] for t in shown]
    if rest:
        rows.append([counted(len(rest), "other term"), "", "", plain_number(summed(t.value for t in rest))])
    return [*table(["from", "upstream", "× local", "term"], rows, width), ""]


def ranked(s: Reconciled, most: int) -> tuple[list[Term], list[Term]]:
    """The `most` largest terms, and the others."""
    if not isinstance(most, int) or most < 0:
        raise ArgumentError(f"element: most is how many terms to show, a whole number from 0 on, not {most!r:.40}.")
    largest = sorted(s.terms, key=lambda t: -abs(t.value))
    return largest[:most], largest[most:]


def reconciled(s: Reconciled, width: int) -> list[str]:
    return table(["", "value", ""], [[what, shown, note] for what, _, shown, note in sums(s)], width)


def sums(s: Reconciled) -> list[tuple[str, float, str, str]]:
    """The sum beside the gradient, and both beside a difference: what it is, the number, the number written, and a note."""
    verdict = s.check.note or ("agrees" if s.check.agrees else "differs")
    hooked = "a hook replaced the gradient" if s.recorded.hooks else ""
    return [("sum of the terms", s.total, f"{s.total:.{DIGITS}g}", ""),
            ("gradient of the sweep", s.gradient, f"{s.gradient:.{DIGITS}g}", hooked),
            ("residual", s.residual, f"{s.residual:.1g}", ""),
            ("finite difference", s.difference, f"{s.difference:.{DIGITS}g}", verdict)]


def brackets(index: Index) -> str:
    return f"[{','.join(map(str, index))}]" if index else ""


def label(t: Term) -> str:
    return f"{t.result}{'' if t.output is None else brackets((t.output,))}{brackets(t.index)}"


def signed(x: float) -> str:
    body = plain_number(x)
    return f"({body})" if body.startswith("-") else body


def counted(n: int, noun: str) -> str:
    return f"{n} {noun}{'s'[:n != 1]}"
