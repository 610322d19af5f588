"""A local, stateful stand-in for Google's servers.

It is written from Google's contracts, imports nothing of the product and is imported
by nothing of it: the command line starts it as a process of its own.
"""
