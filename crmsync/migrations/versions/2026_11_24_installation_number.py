"""Let nothing count the installation's row on PostgreSQL: its id is always 1.

The first revision made the column a SERIAL there, which the tables do not declare.
"""

from __future__ import annotations

from alembic import op

revision = "2026_11_24_installation_number"
down_revision = "2026_11_24_pair_account"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE installation ALTER COLUMN id DROP DEFAULT")
        op.execute("DROP SEQUENCE IF EXISTS installation_id_seq")


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE SEQUENCE installation_id_seq AS INTEGER OWNED BY installation.id"
        )
        op.execute(
            "ALTER TABLE installation ALTER COLUMN id "
            "SET DEFAULT nextval('installation_id_seq')"
        )
