"""What the server runs for serving: plane processes, model workers, canaries, the log's moves."""

from athanor.serving.supervisor.planes import PlaneSettings
from athanor.serving.supervisor.supervisor import Supervisor, SupervisorSettings, Surroundings

__all__ = ["PlaneSettings", "Supervisor", "SupervisorSettings", "Surroundings"]
