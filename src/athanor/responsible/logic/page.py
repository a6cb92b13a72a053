"""The report as one page: no script, no request to anywhere, light and dark, prints well."""

import html
from collections.abc import Iterable, Mapping
from typing import Any

from athanor.responsible.catalogue import CATALOGUE
from athanor.responsible.logic import charts

_STYLE = """
:root{color-scheme:light dark;--ink:#1c2024;--soft:#60646c;--line:#d9dbe0;--ground:#fff;
--card:#f7f8fa;--accent:#2f6fde;--muted:#b9c0cc}
@media (prefers-color-scheme:dark){:root{--ink:#edeef0;--soft:#a0a5ae;--line:#363a42;
--ground:#16181c;--card:#1f2228;--accent:#7aa7ff;--muted:#515763}}
*{box-sizing:border-box}body{margin:0 auto;max-width:62rem;padding:2rem 1rem 4rem;color:var(--ink);
background:var(--ground);font:16px/1.5 system-ui,sans-serif}h1{margin:0 0 .25rem;font-size:1.7rem}
h2{margin:2.5rem 0 .5rem;font-size:1.2rem}p{max-width:46rem}.soft,summary,caption{color:var(--soft)}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{padding:.35rem .6rem;border-bottom:1px solid var(--line);text-align:right}
th:first-child,td:first-child{text-align:left}caption{text-align:left;padding:.3rem 0}
.wide{overflow-x:auto}.cards{display:flex;flex-wrap:wrap;gap:1rem}
.cards>figure{margin:0;flex:1 1 260px;max-width:340px;background:var(--card);padding:.7rem;
border-radius:8px}figcaption{color:var(--soft);font-size:.9rem}details{margin:.4rem 0}
svg{width:100%;height:auto;display:block}svg.interval{width:120px;height:12px;display:inline-block}
.frame{fill:none;stroke:var(--line)}.axis{stroke:var(--line)}.line{fill:none;stroke:var(--accent);
stroke-width:2}.bar{fill:var(--accent)}.bar.muted{fill:var(--muted)}.dot{fill:var(--accent)}
.whisker,.mark{stroke:var(--ink);stroke-width:1.5}.label{fill:var(--ink);font-size:12px}
.tick{fill:var(--soft);font-size:11px}ul.notes{padding-left:1.2rem}dl{display:grid;
grid-template-columns:max-content 1fr;gap:.15rem 1rem}dt{color:var(--soft)}dd{margin:0}
"""


def page(report: Mapping[str, Any]) -> str:
    """The whole page of one evaluation (what `evaluate` returned)."""
    title = _safe(report["title"])
    body = "".join(
        [
            f"<h1>{title}</h1>",
            _lead(report),
            _facts(report),
            _metrics(report),
            _curves(report),
            _confusion(report),
            _importance(report),
            _attributions(report),
            _groups(report),
        ]
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{title}</title><style>{_STYLE}</style></head><body><main>{body}</main></body></html>"
    )


def _lead(report: Mapping[str, Any]) -> str:
    shares = ", ".join(
        f"{_safe(name)} {count:,}"
        for name, count in zip(report["classes"], report["class_rows"], strict=True)
    )
    positive = f" Positive class: {_safe(report['positive'])}." if report["positive"] else ""
    notes = "".join(f"<li>{_safe(note)}</li>" for note in report["notes"])
    return (
        f'<p class="soft">{report["rows"]:,} labelled rows; target {_safe(report["target"])} '
        f"({shares}).{positive}</p>" + (f'<ul class="notes">{notes}</ul>' if notes else "")
    )


def _facts(report: Mapping[str, Any]) -> str:
    items = "".join(
        f"<dt>{_safe(name)}</dt><dd>{_safe(_told(value))}</dd>"
        for name, value in report["facts"].items()
    )
    return f"<dl>{items}</dl>" if items else ""


def _metrics(report: Mapping[str, Any]) -> str:
    rows = "".join(
        f"<tr><td>{_safe(CATALOGUE[name].title)}</td><td>{_number(m['value'])}</td>"
        f"<td>{_number(m['low'])} to {_number(m['high'])}</td>"
        f"<td>{charts.interval(m['value'] or 0, m['low'] or 0, m['high'] or 0)}</td>"
        f"<td>{_safe(m['method'])}</td></tr>"
        for name, m in report["metrics"].items()
    )
    table = (
        '<div class="wide"><table><thead><tr><th>Figure</th><th>Value</th><th>95 % interval</th>'
        f"<th>0 to 1</th><th>Method</th></tr></thead><tbody>{rows}</tbody></table></div>"
    )
    return f"<h2>Quality</h2>{table}{_explained(report['metrics'])}"


def _curves(report: Mapping[str, Any]) -> str:
    if "curves" not in report:
        return ""
    bins = [{"told": item["told"], **item["came_true"]} for item in report["calibration"]["bins"]]
    figures = [
        (
            "ROC curve",
            charts.curve(
                report["curves"]["roc"],
                x="false positive rate",
                y="true positive rate",
                diagonal=True,
            ),
        ),
        (
            "Precision and recall",
            charts.curve(report["curves"]["pr"], x="recall", y="precision", diagonal=False),
        ),
        (
            f"Calibration (ECE {_number(report['calibration']['ece'])})",
            charts.reliability(bins, x="told probability", y="share that came true"),
        ),
        (
            f"Scores; rows of {report['positive']} in colour",
            charts.histogram(
                report["scores"]["negatives"],
                report["scores"]["positives"],
                x="told probability",
            ),
        ),
    ]
    cards = "".join(
        f"<figure>{chart}<figcaption>{_safe(caption)}</figcaption></figure>"
        for caption, chart in figures
    )
    return (
        f'<h2>Curves and calibration</h2><div class="cards">{cards}</div>'
        f"{_explained(['calibration', 'ece'])}"
    )


def _confusion(report: Mapping[str, Any]) -> str:
    labels, counts = report["confusion"]["labels"], report["confusion"]["counts"]
    head = "".join(f"<th>told {_safe(label)}</th>" for label in labels)
    rows = "".join(
        f"<tr><td>is {_safe(label)}</td>{''.join(f'<td>{count:,}</td>' for count in row)}</tr>"
        for label, row in zip(labels, counts, strict=True)
    )
    return (
        '<h2>Confusion matrix</h2><div class="wide"><table><thead><tr><th></th>'
        f"{head}</tr></thead><tbody>{rows}</tbody></table></div>{_explained(['confusion'])}"
    )


def _importance(report: Mapping[str, Any]) -> str:
    found = report["permutation_importance"]
    items = [(c["column"], c["mean"], c["spread"]) for c in found["columns"][:20]]
    return (
        f"<h2>Permutation importance</h2>{charts.bars(items, unit='loss of ROC AUC')}"
        f'<p class="soft">Loss of ROC AUC on {found["rows"]:,} rows.</p>'
        f"{_explained(['permutation_importance'])}"
    )


def _attributions(report: Mapping[str, Any]) -> str:
    found = report["attributions"]
    if "skipped" in found:
        return f"<h2>Attributions</h2><p>Skipped: {_safe(found['skipped'])}</p>"
    items = [(c["column"], c["mean_absolute"], 0.0) for c in found["columns"][:20]]
    examples = "".join(_example(example) for example in found.get("examples", []))
    return (
        f"<h2>Attributions</h2>{charts.bars(items, unit='mean absolute attribution')}"
        f'<p class="soft">Mean absolute attribution in log-odds over {found["rows"]:,} rows; '
        f'{_safe(found["method"])}.</p><div class="cards">{examples}</div>'
        f"{_explained(['attributions'])}"
    )


def _example(example: Mapping[str, Any]) -> str:
    rows = "".join(
        f"<tr><td>{_safe(part['column'])} = {_safe(part['value'])}</td>"
        f"<td>{part['attribution']:+.3f}</td></tr>"
        for part in example["parts"]
    )
    return (
        f"<figure><table><caption>The row with the {_safe(example['which'])} score "
        f"({_number(example['score'])})</caption><tbody>{rows}</tbody></table></figure>"
    )


def _groups(report: Mapping[str, Any]) -> str:
    found = report["groups"]
    if "skipped" in found:
        return f"<h2>Groups</h2><p>Skipped: {_safe(found['skipped'])}</p>"
    figures = ("selection_rate", "tpr", "fpr", "accuracy", "roc_auc")
    head = "".join(f"<th>{_safe(CATALOGUE[name].title)}</th>" for name in figures)
    rows = "".join(
        f"<tr><td>{_safe(group['name'])}</td><td>{group['rows']:,}</td>"
        f"<td>{group['positives']:,}</td>"
        f"{''.join(f'<td>{_ranged(group[name])}</td>' for name in figures)}</tr>"
        for group in found["groups"]
    )
    words = "".join(
        f"<li><b>{_safe(CATALOGUE[gap['name']].title)} {_ranged(gap['value'])}.</b> "
        f"{_safe(gap['words'])}</li>"
        for gap in found["gaps"]
    )
    notes = "".join(f"<li>{_safe(note)}</li>" for note in found["notes"])
    return (
        f"<h2>Groups of {_safe(found['column'])}</h2><ul>{words}{notes}</ul>"
        '<div class="wide"><table><thead><tr><th>Group</th><th>Rows</th><th>Positive</th>'
        f"{head}</tr></thead><tbody>{rows}</tbody></table></div>"
        f"{_explained([*figures[:3], *(gap['name'] for gap in found['gaps'])])}"
    )


def _explained(names: Iterable[str]) -> str:
    entries = "".join(
        f"<p><b>{_safe(entry.title)}.</b> {_safe(entry.what)} <i>Computed:</i> {_safe(entry.how)} "
        f"<i>Reading:</i> {_safe(entry.reading)} <i>Misleads:</i> {_safe(entry.misleads)}</p>"
        for entry in (CATALOGUE[name] for name in names)
    )
    return f"<details><summary>What these figures mean</summary>{entries}</details>"


def _ranged(estimate: Mapping[str, Any] | None) -> str:
    if estimate is None or estimate["value"] is None:
        return "n/a"
    return (
        f"{_number(estimate['value'])} <span class=soft>({_number(estimate['low'])} to "
        f"{_number(estimate['high'])})</span>"
    )


def _number(value: float | None) -> str:
    return "n/a" if value is None else f"{value:.4f}" if abs(value) < 10 else f"{value:.2f}"


def _told(value: object) -> str:
    if isinstance(value, (list, tuple)):
        return ", ".join(str(item) for item in value) or "none"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {item}" for name, item in value.items())
    return str(value)


def _safe(text: object) -> str:
    return html.escape(str(text), quote=True)
