"""The model store: what weights are used, where they come from, and that they are the real ones."""
