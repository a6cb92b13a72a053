"""How requests for predictions are put, and answered: one module a protocol."""
