"""OAuth 2.0 and OpenID Connect as Google speaks them (OAuth contract, section 3)."""
