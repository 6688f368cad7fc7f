"""A report is one file that tells all of a training, whatever names and texts are in it."""
from __future__ import annotations

from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pytest

from chainrule.train.curves import Panel, Series, svg
from chainrule.train.report import Confusion, Report, Sample

LOSS = Panel("loss", [Series("each batch", [0.1, 0.2, 0.3], [3.0, 2.0, 1.0], faint=True), Series("mean", [1.0], [2.0])])
VOID = {"meta", "rect", "line", "circle"}


class Reader(HTMLParser):
    """Checks that tags close in order, and keeps the text and whatever would fetch something."""

    def __init__(self):
        super().__init__()
        self.open, self.text, self.fetched, self.tags = [], [], [], []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.fetched += [value for name, value in attributes if name in ("src", "href")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def read(report):
    reader = Reader()
    reader.feed(report.page())
    assert reader.open == []
    return reader


def made(**more):
    return Report("A <title> & more", "chainrule train 'a b'", {"accuracy": "97.5 %"}, {"rate": 0.1}, "epoch", [LOSS], **more)


def test_a_report_holds_everything_and_fetches_nothing():
    gradients = Panel("gradient norm", [Series(f"fc{i}.weight", [1.0, 2.0], [0.1, 0.2]) for i in range(5)])
    reader = read(made(gradients=gradients, confusion=Confusion(["cat", "dog"], [[3, 1], [0, 2]]),
                       samples=[Sample("after 10 steps", "<b>to & fro</b>")], notes=["stopped early"]))
    text = " ".join(reader.text)
    for expected in ("A <title> & more", "chainrule train 'a b'", "97.5 %", "0.1", "<b>to & fro</b>", "stopped early",
                     "fc4.weight", "75.0%", "100.0%"):
        assert expected in text
    assert reader.fetched == [] and "script" not in reader.tags and "b" not in reader.tags


def test_a_report_of_nothing_but_a_loss_has_no_empty_sections():
    text = " ".join(read(made()).text)
    assert "taken for" not in text and "wrote" not in text and "layer by layer" not in text


def test_the_confusion_of_many_classes_is_a_list_of_mistakes():
    classes = [f"class {i}" for i in range(40)]
    targets = np.array([0, 0, 0, 1, 2, 3])
    reader = read(made(confusion=Confusion.of(targets, np.array([1, 1, 0, 1, 3, 3]), classes)))
    assert reader.tags.count("td") == 3 * 2 + 2  # two kinds of mistakes, and the two tables of one row
    assert "class 2" in " ".join(reader.text)


@pytest.mark.parametrize("predicted, told", [([0, 1], "Nothing was taken"), ([1, 1], "100.0%")])
def test_the_confusion_counts_what_was_said(predicted, told):
    report = made(confusion=Confusion.of(np.array([0, 1]), np.array(predicted), ["a", "b"]))
    assert told in " ".join(read(report).text)


def test_several_curves_have_colors_and_a_key():
    panel = Panel("norms", [Series(f"layer number {i} with a very long name", [1.0, 2.0], [1.0, 2.0 + i]) for i in range(4)])
    tree = ElementTree.fromstring(svg("t", "s", [panel], x_label="epoch"))
    space = "{http://www.w3.org/2000/svg}"
    colors = [line.get("stroke") for line in tree.iter(f"{space}polyline")]
    assert len(set(colors)) == 4
    named = [t.text for t in tree.iter(f"{space}text") if t.text and t.text.startswith("...")]
    assert len(named) == 4
    lowest = max(float(t.get("y")) for t in tree.iter(f"{space}text"))
    assert lowest < float(tree.get("height"))


def test_one_curve_has_no_key():
    tree = ElementTree.fromstring(svg("", "", [LOSS], x_label="epoch"))
    assert not [t for t in tree.iter("{http://www.w3.org/2000/svg}text") if t.text in ("mean", "each batch")]
