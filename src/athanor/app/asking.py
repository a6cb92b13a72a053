"""Asks an address who listens there and how it is, in a moment and without a token."""

import json
import urllib.error
import urllib.request
from typing import Any

_SECONDS = 2.0
_LONGEST = 100_000


def told_at(url: str) -> dict[str, Any]:
    """The JSON object that a GET of an http(s) address answers; {} where there is none."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        try:
            with direct.open(url, timeout=_SECONDS) as answer:
                found = json.loads(answer.read(_LONGEST))
        except urllib.error.HTTPError as refused:
            # A server that is not ready says why with a 503.
            with refused:
                found = json.loads(refused.read(_LONGEST))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def workspace_served_at(host: str, port: int) -> str:
    """The workspace that another Athanor serves with this port; "" where nothing tells."""
    place = f"[{host}]" if ":" in host and not host.startswith("[") else host
    # The endpoints' port is the next one to the API's, which knows both.
    for candidate in (port, port - 1):
        told = told_at(f"http://{place}:{candidate}/api/v1/status")
        if {"workspace", "serving_url"} <= told.keys() and (
            candidate == port or str(told["serving_url"]).endswith(f":{port}")
        ):
            return str(told["workspace"])
    return ""
