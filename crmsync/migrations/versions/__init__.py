"""The revisions, oldest first by date."""
