"""The project that things belong to where nobody says otherwise."""

DEFAULT_PROJECT = "default"
