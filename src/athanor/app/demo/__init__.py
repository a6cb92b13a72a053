"""The demo: a simulated bank, and the whole loop driven by public commands."""
