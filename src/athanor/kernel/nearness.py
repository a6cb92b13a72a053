"""Whether a request comes from the server's own machine."""

import ipaddress
from typing import Annotated

from fastapi import Depends, Request

_PASSED_ON = ("forwarded", "x-forwarded-for", "x-real-ip", "via")
"""What a proxy adds: who stands behind it may be anywhere."""


def is_near(request: Request) -> bool:
    """Whether the caller is on this machine: in this process, or connected by loopback."""
    if any(name in request.headers for name in _PASSED_ON):
        return False
    if request.client is None:
        return True
    try:
        return ipaddress.ip_address(request.client.host).is_loopback
    except ValueError:
        return False


Near = Annotated[bool, Depends(is_near)]
