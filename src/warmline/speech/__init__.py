"""Voice activity, and telling the parties of a call apart."""
