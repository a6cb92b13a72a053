"""The server of an exported folder: the data plane's own code, one model, no platform."""
