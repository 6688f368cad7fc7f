"""A page in a browser is the page of an explanation, opened from its file in a real browser that may complain of nothing."""
from __future__ import annotations

import base64
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

WIDE, LARGE, PHONE = ({"width": w, "height": h} for w, h in ((1280, 800), (4000, 3000), (360, 740)))
LEVELS = ("network", "layers", "operations", "primitives", "gates")


@pytest.fixture(scope="session", name="browser")
def launched():
    sync_api = pytest.importorskip("playwright.sync_api", reason="pages are tested with Playwright: pip install playwright")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("pages are tested in Chromium, which is not installed")
    with sync_api.sync_playwright() as playwright:
        one = playwright.chromium.launch(executable_path=chromium,
                                         args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"])
        yield one
        one.close()


@contextmanager
def opened(browser: Any, path: Any, fragment: str = "", **options: Any) -> Iterator[Any]:
    """The page of a file; at the end, nothing may have been complained of, and nothing asked of a network."""
    said: list[str] = []
    context = browser.new_context(**{  # to wait for something in a page takes eval, which pages forbid themselves
        "viewport": WIDE, "color_scheme": "light", "reduced_motion": "reduce", "bypass_csp": True, **options})
    context.set_default_timeout(15_000)
    page = context.new_page()
    page.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: said.append(f"error: {error}"))
    page.on("request", lambda asked: None if asked.url.startswith("file:") else said.append(f"request: {asked.url[:80]}"))
    page.goto(f"{path.as_uri()}{fragment}")
    page.wait_for_selector("html[data-ready]", state="attached")
    yield page
    assert not said
    context.close()


def written(directory: Any, e: Any, title: str = "A loss", lesson: str | None = None) -> Any:
    """The file of the page of an explanation."""
    path = directory / "page.html"
    path.write_text(e.html(title=title, lesson=lesson), encoding="utf-8")
    return path


def state(page: Any) -> dict[str, Any]:
    return page.evaluate("chainrule.state()")


def levels(page: Any) -> list[str]:
    """The levels that can be shown."""
    return page.eval_on_selector_all("#levels button:not(:disabled)", "all => all.map(b => b.dataset.level)")


def listed(x: Any) -> Any:
    """Numbers as the page's `state()` gives them."""
    flat = np.concatenate([np.ravel(part) for part in x]) if isinstance(x, tuple) else np.ravel(x)
    return [float(v) if np.isfinite(v) else str(float(v)) for v in flat.astype(float)]


def boxes(page: Any) -> Any:
    """Everything that has text, measured: the rectangles of boxes, labels and heads of frames, and those of the texts in each."""
    found = page.evaluate("chainrule.labelBoxes()")
    sides = ("left", "top", "right", "bottom")
    return (np.array([[b[s] for s in sides] for b in found]).reshape(-1, 4),
            [np.array([[t[s] for s in sides] for t in b["texts"]]).reshape(-1, 4) for b in found], [b["key"] for b in found])


def chain_document(count: int) -> dict[str, Any]:
    """A loss of so many additions as a document: v1 = x + x, v2 = v1 + x and so on, so that x is used everywhere."""
    def one(value: float) -> dict[str, Any]:
        return {"shape": [], "value": value}

    def node(k: int, name: str, **more: Any) -> dict[str, Any]:
        return {"id": f"n{k}", "name": name, "kind": "operation", "operation": "add", "arguments": [], "formula": None,
                "numbers": None, "value": one(k + 1.0), "gradient": one(1.0), "gradient_name": f"dL/d{name}", "shape": [],
                "dtype": "float64", "source": None, "group": None, "inside": None, "parts": [], "output": None} | more

    def edge(k: int, position: int, to: str) -> dict[str, Any]:
        return {"id": f"e{2 * k + position}", "from": f"n{k}", "to": to, "position": position, "upstream": None, "rule": None,
                "numbers": None, "local": {"formula": "1", "numbers": "1", "value": one(1.0)}, "contribution": one(1.0),
                "size": 1.0, "summed": False, "part": False, "links": link()}

    def link() -> dict[str, Any]:
        return {"rows": base64.b64encode(bytes(4)).decode(), "cols": base64.b64encode(bytes(4)).decode(),
                "slopes": base64.b64encode(np.ones(1).tobytes()).decode(), "count": 1}

    nodes = [node(0, "x", kind="input", operation=None, gradient=one(count + 1.0))]
    edges = []
    for k in range(1, count + 1):
        before = nodes[-1]["name"]
        nodes.append(node(k, f"v{k}" if k < count else "L", arguments=[f"n{k - 1}", "n0"], formula={"text": f"{before} + x"},
                          numbers={"text": f"{k} + 1"}))
        edges += [edge(k, 0, f"n{k - 1}"), edge(k, 1, "n0")]
    graph = {"nodes": nodes, "edges": edges[::-1], "merges": [], "groups": []}
    return {"schema": "chainrule.page/1", "title": "A long chain", "lesson": None, "loss": "L", "gates": None, "gates_note": None,
            "graph": graph, "derivation": [], "checks": [], "notes": []}
