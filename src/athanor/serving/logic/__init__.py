"""Pure functions of serving: no sockets, no files, no clock."""
