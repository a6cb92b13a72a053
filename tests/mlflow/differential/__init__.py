"""The same random requests, sent to our server and to MLflow's own: the answers are compared."""
