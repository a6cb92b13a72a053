"""What data means, as pure functions: text forms, types, expectations, leaks, queries."""
