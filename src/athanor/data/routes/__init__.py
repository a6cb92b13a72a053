"""The data room over HTTP: a module a part."""
