"""`athanor run FILE`: one's own code as a recorded run, a registered model, a pipeline."""
