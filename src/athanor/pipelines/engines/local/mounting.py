"""Folders at the paths where a step expects them, in the step's own view of the file system."""

import ctypes
import errno
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from athanor.pipelines.engines.local.exchange import Mount
from athanor.pipelines.errors import CannotMount

_CLONE_NEWNS = 0x00020000
_CLONE_NEWUSER = 0x10000000
_MS_BIND, _MS_REC, _MS_PRIVATE = 0x1000, 0x4000, 0x40000


def mount(mounts: Sequence[Mount]) -> None:
    """Have this process and its children, and nobody else, find folders at paths.

    Where the system allows no view of its own, a link takes its place if nothing is there.
    Raises: CannotMount.
    """
    if not mounts:
        return
    own = _own_view()
    for item in mounts:
        if own:
            _bind(item)
        else:
            _link(item)


def _own_view() -> bool:
    if sys.platform != "linux":
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNS) != 0:
        user, group = os.getuid(), os.getgid()
        if libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNS) != 0:
            return False
        for name, text in (
            ("setgroups", "deny"),
            ("uid_map", f"{user} {user} 1"),
            ("gid_map", f"{group} {group} 1"),
        ):
            Path(f"/proc/self/{name}").write_text(text, "ascii")
    return bool(libc.mount(b"none", b"/", None, _MS_REC | _MS_PRIVATE, None) == 0)


def _bind(item: Mount) -> None:
    target = Path(item.target)
    try:
        target.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CannotMount(item.target, error.strerror or "") from error
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(os.fsencode(item.source), os.fsencode(target), None, _MS_BIND, None) != 0:
        raise CannotMount(item.target, os.strerror(ctypes.get_errno()))


def _link(item: Mount) -> None:
    target = Path(item.target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(item.source)
    except OSError as error:
        there = error.errno == errno.EEXIST and target.is_symlink()
        if there and target.resolve() == Path(item.source).resolve():
            return
        raise CannotMount(item.target, error.strerror or "") from error
