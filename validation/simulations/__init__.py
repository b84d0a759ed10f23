"""Methods of warmline's research tried on firms whose truth is known: `docs/simulations.md`."""
