"""The sandbox's own addresses under /_sandbox: what Google does not offer."""
