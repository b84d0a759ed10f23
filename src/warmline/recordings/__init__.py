"""From files on disk to sound: finding, identifying, decoding, and what is known beside it."""
