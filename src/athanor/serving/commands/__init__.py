"""`athanor deploy` and `athanor endpoint`.

They are loaded when they are first used: `athanor batch` needs neither.
"""

from typing import TYPE_CHECKING

from athanor.kernel.front_door import lazily

if TYPE_CHECKING:
    from athanor.serving.commands.deploying import (
        deploy,
    )
    from athanor.serving.commands.endpoints import (
        commands,
    )

__getattr__ = lazily(__name__, {"commands": "endpoints", "deploy": "deploying"})

__all__ = [
    "commands",
    "deploy",
]
