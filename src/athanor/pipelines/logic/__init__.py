"""Pure functions of the pipelines room: planning, conditions, cache keys, templates, schedules."""
