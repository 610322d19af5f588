"""The backends behind the services, wired: Google, and each CRM."""
