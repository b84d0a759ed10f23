"""From files on disk to sound: finding, identifying and decoding recordings, and their metadata."""
