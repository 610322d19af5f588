"""What a cycle costs, each figure against a floor in the same run: `make bench`.

Requests are counted by the product and compared with the fewest that Google's page and
batch sizes allow. Times are no figures here: machines are shared; ratios come with the
worker.
"""

from __future__ import annotations

import sys
from math import ceil
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.books import make_books
from tests.sandbox.harness import SandboxServer
from tests.support.product import Product

ANNA = "anna@shop.example"
OPTIONS = ("--quota", "off", "--delay", "0", "--account", ANNA)


def push(count: int) -> tuple[str, int, int]:
    """Return name, requests and floor of a first push of `count` contacts."""
    with SandboxServer(*OPTIONS) as box, TemporaryDirectory() as folder:
        product = Product(Path(folder), box.url)
        user = product.add_user(ANNA)
        path = Path(folder) / "crm.csv"
        path.write_text(make_books(1, count, 0).csv, encoding="utf-8", newline="")
        product.load_crm(path, user)
        product.connect(user)
        cycle = product.cycle(user)
        product.close()
    # Batches of 200; one page of contacts; the groups looked at, and the label made.
    floor = ceil(cycle["counts"]["google"]["created"] / 200) + 1 + 2
    return f"first push of {count} contacts", cycle["requests"]["google"], floor


def pull_and_rest(count: int) -> list[tuple[str, int, int]]:
    """Return name, requests and floor of a first pull, and of a cycle at rest."""
    with SandboxServer(*OPTIONS) as box, TemporaryDirectory() as folder:
        product = Product(Path(folder), box.url)
        user = product.add_user(ANNA)
        box.load(ANNA, make_books(2, count, 0).vcf, "Infor CRM")
        product.connect(user)
        first = product.cycle(user)
        box.settle()
        rest = product.cycle(user)
        product.close()
    return [
        (
            f"first pull of {count} contacts",
            first["requests"]["google"],
            ceil(count / 1000) + 1,
        ),
        ("a cycle without a change", rest["requests"]["google"], 1),
    ]


def main() -> int:
    """Print one line per figure; exit 1 if one is above its bound of 1.05."""
    rows = [push(2000), *pull_and_rest(2000)]
    wrong = 0
    print(f"{'what':32} {'requests':>8} {'floor':>6} {'ratio':>6}")  # noqa: T201  its answer
    for name, requests, floor in rows:
        ratio = requests / floor
        wrong += ratio > 1.05
        print(f"{name:32} {requests:8} {floor:6} {ratio:6.2f}")  # noqa: T201  its answer
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
