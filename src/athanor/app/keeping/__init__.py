"""Keeping a workspace: backup, restore, clean."""
