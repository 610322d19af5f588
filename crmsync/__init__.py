"""The core: records, engine, ports, cycle, connectors, storage and services.

It knows no Flask, no add-on and no RQ worker; see `README.md` beside this file.
"""
