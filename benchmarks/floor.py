"""The floor of a first pull: a listing, page by page, into a table as it comes.

Usage: python -m benchmarks.floor URL TOKEN DATABASE
"""

from __future__ import annotations

import json
import sqlite3
import sys
from urllib.parse import urlencode
from urllib.request import Request, urlopen


def main() -> int:
    """Copy the listing."""
    url, token, database = sys.argv[1:]
    connection = sqlite3.connect(database)
    connection.execute("CREATE TABLE record (id TEXT PRIMARY KEY, body TEXT)")
    page: str | None = ""
    while page is not None:
        address = f"{url}&{urlencode({'pageToken': page})}" if page else url
        request = Request(address, headers={"Authorization": f"Bearer {token}"})
        with urlopen(request) as answer:
            found = json.load(answer)
        rows = [(item["id"], json.dumps(item)) for item in found.get("items", [])]
        connection.executemany("INSERT INTO record VALUES (?, ?)", rows)
        page = found.get("nextPageToken")
    connection.commit()
    return 0


if __name__ == "__main__":
    sys.exit(main())
