"""A process like the server: it takes up what its database holds, and is there to be killed.

Arguments: the folder, and whether to submit (`submit`) or only to go on (`go-on`).
"""

import sys
from pathlib import Path

from athanor.kernel import OWNER, Database
from athanor.kernel.zygote import choose_workers
from athanor.pipelines import Submission
from athanor.pipelines.engines.local import PRELOAD
from athanor.testing.database import create_all
from athanor.testing.pipelines import pipelines_room


def main(folder: Path, action: str) -> None:
    database = Database.open(f"sqlite:///{folder / 'athanor.db'}")
    create_all(database)
    workers = choose_workers(PRELOAD)
    workers.start()
    with pipelines_room(database, folder, workers) as room:
        if action == "submit":
            yaml = (folder / "pipeline.yaml").read_text()
            submission = Submission(yaml=yaml, parameters={"folder": str(folder)}, key="only")
            room.pipelines.submit(OWNER, submission)
        (run,) = room.pipelines.runs(OWNER)
        print("up", run.id, flush=True)
        ended = room.finished(run, 120)
        print("over", ended.state, ended.outputs["Output"]["digest"], flush=True)
    workers.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
