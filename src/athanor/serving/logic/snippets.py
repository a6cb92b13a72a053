"""Programs that ask an endpoint, with a row that the model was trained on."""

import json
import shlex
from collections.abc import Mapping
from typing import Any

LANGUAGES = ("curl", "python", "node")
TOKEN = "ATHANOR_TOKEN"  # noqa: S105 - its name, not a token
"""The environment's variable that a demanded token is read from."""


def snippet(language: str, url: str, record: Mapping[str, Any], *, token: bool = False) -> str:
    """A program that prints the endpoint's answer. `language` is one of `LANGUAGES`."""
    return {"curl": _curl, "python": _python, "node": _node}[language](url, record, token=token)


def _curl(url: str, record: Mapping[str, Any], *, token: bool) -> str:
    body = shlex.quote(json.dumps({"records": [record]}, ensure_ascii=False))
    proof = f'-H "Authorization: Bearer ${TOKEN}" ' if token else ""
    return f"curl -sS {shlex.quote(url)} {proof}-H 'Content-Type: application/json' -d {body}\n"


def _python(url: str, record: Mapping[str, Any], *, token: bool) -> str:
    proof = f', "Authorization": "Bearer " + os.environ["{TOKEN}"]' if token else ""
    body = _python_text(record)
    return f"""\
import json
{"import os" + chr(10) if token else ""}import urllib.request

body = {{"records": [{body}]}}
request = urllib.request.Request(
    {json.dumps(url)},
    data=json.dumps(body).encode(),
    headers={{"Content-Type": "application/json"{proof}}},
)
with urllib.request.urlopen(request, timeout=30) as answer:
    for prediction in json.load(answer)["predictions"]:
        print(prediction)
"""


def _python_text(record: Mapping[str, Any]) -> str:
    cells = ", ".join(f"{name!r}: {value!r}" for name, value in record.items())
    return f"{{{cells}}}"


def _node(url: str, record: Mapping[str, Any], *, token: bool) -> str:
    proof = f', Authorization: "Bearer " + process.env.{TOKEN}' if token else ""
    body = json.dumps({"records": [record]}, ensure_ascii=False)
    return f"""\
const answer = await fetch({json.dumps(url)}, {{
  method: "POST",
  headers: {{ "Content-Type": "application/json"{proof} }},
  body: JSON.stringify({body}),
}});
if (!answer.ok) throw new Error(`${{answer.status}} ${{await answer.text()}}`);
console.log((await answer.json()).predictions);
"""
