"""Calendar API v3: calendars, events, copies of guests (contract section 5)."""
