"""What the server says to a plane process, and asks of it, over a Unix socket.

One JSON object a line each way: {"do": "table", "table": ...}, {"do": "stats"}, {"do": "seal"}.
"""

import asyncio
import logging
from typing import Any

import msgspec
import orjson

from athanor.serving.logic.exposition import BUCKETS
from athanor.serving.logic.routing import Table
from athanor.serving.plane.app import Plane

logger = logging.getLogger(__name__)

_LONGEST_LINE = 64 << 20


class Control:
    """The control socket of one plane process."""

    def __init__(self, plane: Plane) -> None:
        self._plane = plane

    async def listen(self, path: str) -> asyncio.Server:
        """Listen at a path; only this user may connect (its folder is 0700)."""
        return await asyncio.start_unix_server(self._talk, path, limit=_LONGEST_LINE)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while text := await reader.readline():
                answer = orjson.dumps(await self._answer(text), option=orjson.OPT_NON_STR_KEYS)
                writer.write(answer + b"\n")
                await writer.drain()
        except Exception:
            logger.exception("A control connection broke")
        finally:
            writer.close()

    async def _answer(self, text: bytes) -> dict[str, Any]:
        try:
            message = orjson.loads(text)
            match message.get("do"):
                case "table":
                    self._plane.apply(msgspec.convert(message["table"], Table))
                    return {"ok": True, "revision": self._plane.revision}
                case "stats":
                    return {"ok": True, **self._stats()}
                case "seal":
                    return {"ok": True, "segment": await self._plane.log.seal()}
                case other:
                    return {"ok": False, "reason": f"{other!r} is nothing that a plane does"}
        except (orjson.JSONDecodeError, msgspec.ValidationError, KeyError, AttributeError) as error:
            return {"ok": False, "reason": str(error)}

    def _stats(self) -> dict[str, Any]:
        """Counts since this process began, by deployment."""
        figures = self._plane.figures.series
        told: dict[str, dict[str, Any]] = {
            labels[1]: {
                "codes": dict(series.codes),
                "buckets": series.buckets,
                "nonsense": series.nonsense,
            }
            for labels, series in figures.items()
        }
        for name, use in self._plane.uses().items():
            empty = {"codes": {}, "buckets": [0] * (len(BUCKETS) + 1), "nonsense": 0}
            told.setdefault(name, empty).update(use)
        return {
            "revision": self._plane.revision,
            "in_flight": self._plane.in_flight(),
            "deployments": told,
        }
