"""What several tests share: how to make calls, sounds, warehouses, nights, servers."""
