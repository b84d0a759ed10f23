"""Turns and roles: the call as a conversation between parties."""
