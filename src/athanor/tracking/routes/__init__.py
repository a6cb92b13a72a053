"""Tracking over HTTP: a module a part."""
