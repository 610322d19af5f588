"""The built-in CRM: tables, rules and operations. It knows nothing of `crmsync`.

Every operation takes a SQLAlchemy `Connection` whose transaction is the caller's. The
caller's engine opens a writing transaction with BEGIN IMMEDIATE on SQLite; PostgreSQL
runs at READ COMMITTED.
"""
