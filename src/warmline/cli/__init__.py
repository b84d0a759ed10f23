"""The command line: what a person types, and what they read."""


def main() -> None:
    """Run the `warmline` command."""
    from warmline.cli.app import app

    app()
