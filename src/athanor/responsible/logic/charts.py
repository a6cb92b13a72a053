"""Small SVG charts for a page without scripts. Colours come from the page's style sheet."""

import html
from collections.abc import Sequence

Point = tuple[float, float]
_SIDE = 260
_MARGIN = 34


def curve(points: Sequence[Point], *, x: str, y: str, diagonal: bool) -> str:
    """A line in the unit square."""
    path = " ".join(f"{_px(a):.1f},{_py(b):.1f}" for a, b in points)
    return _square(
        (_diagonal() if diagonal else "") + f'<polyline class="line" points="{path}"/>', x=x, y=y
    )


def reliability(bins: Sequence[dict[str, float]], *, x: str, y: str) -> str:
    """Points with intervals in the unit square: each of `told`, `value`, `low`, `high`, `rows`."""
    marks = "".join(
        f'<line class="whisker" x1="{_px(b["told"]):.1f}" x2="{_px(b["told"]):.1f}" '
        f'y1="{_py(b["low"]):.1f}" y2="{_py(b["high"]):.1f}"/>'
        f'<circle class="dot" cx="{_px(b["told"]):.1f}" cy="{_py(b["value"]):.1f}" r="4">'
        f"<title>told {b['told']:.3f}, true {b['value']:.3f}, {b['rows']:.0f} rows</title></circle>"
        for b in bins
    )
    return _square(_diagonal() + marks, x=x, y=y)


def bars(items: Sequence[tuple[str, float, float]], *, unit: str) -> str:
    """Horizontal bars: (name, value, spread)."""
    most = max((abs(value) for _, value, _ in items), default=0.0) or 1.0
    rows = []
    for index, (name, value, spread) in enumerate(items):
        top, width = 22 * index, 300 * max(0.0, value) / most
        told = f"{value:.4f}" + (f" ± {spread:.4f}" if spread else "")
        rows.append(
            f'<text class="label" x="210" y="{top + 15}" text-anchor="end">{_text(name, 32)}</text>'
            f'<rect class="bar" x="218" y="{top + 4}" width="{width:.1f}" height="14" rx="2"/>'
            f'<text class="tick" x="{224 + width:.1f}" y="{top + 15}">{told}</text>'
        )
    height = 22 * len(items) + 4
    return (
        f'<svg viewBox="0 0 640 {height}" role="img" aria-label="{html.escape(unit)}">'
        f"{''.join(rows)}</svg>"
    )


def histogram(negatives: Sequence[int], positives: Sequence[int], *, x: str) -> str:
    """Stacked counts over the unit interval."""
    most = max((a + b for a, b in zip(negatives, positives, strict=True)), default=0) or 1
    width = 1 / max(1, len(negatives))
    marks = []
    for index, (no, yes) in enumerate(zip(negatives, positives, strict=True)):
        left, right = _px(index * width) + 1, _px((index + 1) * width)
        for kind, low, high in (("bar muted", 0, no), ("bar", no, no + yes)):
            top, bottom = _py(high / most), _py(low / most)
            marks.append(
                f'<rect class="{kind}" x="{left:.1f}" y="{top:.1f}" '
                f'width="{right - left:.1f}" height="{bottom - top:.1f}"/>'
            )
    return _square("".join(marks), x=x, y=f"rows (of {most})")


def interval(value: float, low: float, high: float) -> str:
    """A small interval bar between 0 and 1."""
    a, b, c = (max(0.0, min(1.0, number)) * 120 for number in (low, value, high))
    return (
        '<svg class="interval" viewBox="0 0 120 12" aria-hidden="true">'
        '<line class="axis" x1="0" x2="120" y1="6" y2="6"/>'
        f'<rect class="bar" x="{a:.1f}" y="3" width="{max(1.0, c - a):.1f}" height="6" rx="2"/>'
        f'<line class="mark" x1="{b:.1f}" x2="{b:.1f}" y1="0" y2="12"/></svg>'
    )


def _px(value: float) -> float:
    return _MARGIN + value * (_SIDE - _MARGIN - 8)


def _py(value: float) -> float:
    return _SIDE - _MARGIN - value * (_SIDE - _MARGIN - 8)


def _diagonal() -> str:
    return (
        f'<line class="axis" x1="{_px(0)}" y1="{_py(0)}" x2="{_px(1)}" y2="{_py(1)}" '
        'stroke-dasharray="4 4"/>'
    )


def _square(inside: str, *, x: str, y: str) -> str:
    ticks = "".join(
        _tick(_px(v), _py(0) + 14, "middle", v) + _tick(_px(0) - 5, _py(v) + 4, "end", v)
        for v in (0, 0.5, 1)
    )
    return (
        f'<svg viewBox="0 0 {_SIDE} {_SIDE + 6}" role="img" '
        f'aria-label="{html.escape(y)} against {html.escape(x)}">'
        f'<rect class="frame" x="{_px(0)}" y="{_py(1):.1f}" width="{_px(1) - _px(0):.1f}" '
        f'height="{_py(0) - _py(1):.1f}"/>{inside}{ticks}'
        f'<text class="label" x="{_px(0.5):.0f}" y="{_SIDE + 2}" text-anchor="middle">'
        f"{html.escape(x)}</text>"
        f'<text class="label" transform="translate(10 {_py(0.5):.0f}) rotate(-90)" '
        f'text-anchor="middle">{html.escape(y)}</text></svg>'
    )


def _tick(x: float, y: float, anchor: str, value: float) -> str:
    return f'<text class="tick" x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}">{value:g}</text>'


def _text(text: str, most: int) -> str:
    return html.escape(text if len(text) <= most else text[: most - 1] + "…")
