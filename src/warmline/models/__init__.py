"""The model store: which weights are used, where they come from, and that they are genuine."""
