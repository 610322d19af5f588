"""The pages: parse, call a service, render. No rules and no SQL of their own.

`webapp.factory.create_app` makes the application; importing this package does nothing.
"""
