"""What can go wrong with keeping a workspace."""

from pathlib import Path

from athanor.kernel import Conflict, Internal, Invalid, NotFound


class NothingToBackUp(NotFound):
    """The folder is no workspace."""

    def __init__(self, workspace: Path) -> None:
        super().__init__(
            f"There is no workspace in {workspace}.",
            hint="Name it: athanor --workspace DIR backup FILE",
        )


class BackupExists(Conflict):
    """Something is where the backup would be written."""

    def __init__(self, target: Path) -> None:
        super().__init__(
            f"{target} exists already; a backup overwrites nothing.",
            hint="Choose another name, or remove what is there first.",
        )


class NoBackup(Invalid):
    """What should be restored is no backup of ours."""

    def __init__(self, source: Path, why: str) -> None:
        super().__init__(
            f"{source} is no backup that can be restored: {why}.",
            hint="Give the file or the folder that `athanor backup` wrote.",
        )


class BackupTooNew(Conflict):
    """The backup was written by a newer release."""

    def __init__(self, source: Path, what: str) -> None:
        super().__init__(
            f"{source} was written by a newer Athanor ({what}); nothing was restored.",
            hint="Update with: pip install -U athanor-ml",
        )


class BackupDamaged(Internal):
    """A backup's content is not what it was written with."""

    def __init__(self, source: Path, problems: list[str]) -> None:
        shown = "; ".join(problems[:3]) + ("" if len(problems) <= 3 else " ...")
        super().__init__(
            f"{source} is damaged ({len(problems)} files): {shown}. Nothing was restored.",
            hint="Restore another backup; this one was changed after it was written.",
        )


class WorkspaceNotEmpty(Conflict):
    """A backup is restored into an empty place alone."""

    def __init__(self, where: str, found: str) -> None:
        super().__init__(
            f"{where} is not empty ({found}); nothing was restored.",
            hint="Restore into a new folder: athanor --workspace NEW restore BACKUP",
        )


class OnlyHere(Invalid):
    """The command works on the workspace's own files, and a URL was given."""

    def __init__(self, command: str) -> None:
        super().__init__(
            f"athanor {command} reads and writes the workspace's files: it can't work over a URL.",
            hint=f"Run it where the server runs: athanor --workspace DIR {command} ...",
        )


class KeepingBusy(Conflict):
    """A backup and a clean-up exclude each other."""

    def __init__(self, workspace: Path) -> None:
        super().__init__(
            f"Another backup or clean-up of {workspace} is under way.",
            hint="Wait until it is done and try again.",
        )


class NotConfirmed(Invalid):
    """Something would be removed, and nobody said yes."""

    def __init__(self) -> None:
        super().__init__(
            "Nothing was removed.",
            hint="Look with: athanor clean --dry-run. Remove with: athanor clean --yes",
        )
