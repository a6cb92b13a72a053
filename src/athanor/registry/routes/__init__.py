"""The registry over HTTP: a module a part."""
