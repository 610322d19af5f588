"""Tasks API v1: task lists and tasks (contract section 6)."""
