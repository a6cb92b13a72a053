"""Serving's verbs over a transport.

That of endpoints is loaded when it is first used: batches and tickets do without.
"""

from typing import TYPE_CHECKING

from athanor.kernel.front_door import lazily

if TYPE_CHECKING:
    from athanor.serving.client.endpoints import (
        EndpointsClient,
    )

__getattr__ = lazily(__name__, {"EndpointsClient": "endpoints"})

__all__ = [
    "EndpointsClient",
]
