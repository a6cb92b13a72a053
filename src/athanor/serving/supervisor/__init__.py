"""What the server runs for serving: plane processes, model workers, canaries, the log."""
