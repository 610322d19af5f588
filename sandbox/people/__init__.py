"""People API v1: contacts and contact groups (contract section 4)."""
