"""`python -m webapp` is `crm-sync`."""

from cli import main

if __name__ == "__main__":
    main(prog_name="crm-sync")
