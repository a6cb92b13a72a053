"""What is done to data by heavy libraries. Loaded by name in forks, never in the server."""
