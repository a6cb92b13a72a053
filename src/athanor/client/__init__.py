"""The SDK: every room's client over one transport."""

from typing import TYPE_CHECKING

from athanor.kernel.front_door import lazily

if TYPE_CHECKING:
    from athanor.client.client import Client

__all__ = ["Client"]

__getattr__ = lazily(__name__, {"Client": "client"})
