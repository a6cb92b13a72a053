"""Runtimes: what turns rows into predictions inside a worker. A port, and one module for each."""
