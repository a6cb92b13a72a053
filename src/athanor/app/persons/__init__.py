"""A person's rows, traced and erased through all rooms."""
