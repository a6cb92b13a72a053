"""SQLite does not keep its promises on a network file system: such a workspace is refused."""

from pathlib import Path

from athanor.kernel import Invalid

_NETWORK = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs", "lustre"}
)
_NETWORK_PREFIXES = ("fuse.sshfs", "fuse.s3fs", "fuse.gcsfuse", "fuse.glusterfs", "fuse.rclone")


class NetworkFolder(Invalid):
    """The workspace lies on a network file system and would use SQLite."""

    def __init__(self, folder: Path, kind: str) -> None:
        super().__init__(
            f"{folder} lies on a network file system ({kind}), on which SQLite can lose data.",
            hint="Set ATHANOR_DATABASE_URL to a Postgres database, or choose a local folder.",
        )


def refuse_network_folder(folder: Path, mounts: Path = Path("/proc/mounts")) -> None:
    """Return if a folder is on a local file system, as far as the system tells.

    Raises: NetworkFolder.
    """
    try:
        lines = mounts.read_text("utf-8", "replace").splitlines()
    except OSError:
        return
    best, kind = "", ""
    target = str(folder.resolve())
    for line in lines:
        fields = line.split()
        if len(fields) < 3:
            continue
        place = fields[1].replace("\\040", " ")
        inside = target == place or target.startswith(place.rstrip("/") + "/")
        if inside and len(place) >= len(best):
            best, kind = place, fields[2]
    if kind in _NETWORK or kind.startswith(_NETWORK_PREFIXES):
        raise NetworkFolder(folder, kind)
