"""The engine of one machine: each task is a fresh fork of a warm worker."""
