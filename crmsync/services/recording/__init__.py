"""Recording messages to the CRM's history: one code path for whoever asks (MAIL)."""
