"""The RQ worker and the scheduler: thin processes around the services.

What is due stands in the database; Redis only wakes. Knows no web code.
"""
