"""Arriving and leaving: whole stores read, taken in, given out."""
