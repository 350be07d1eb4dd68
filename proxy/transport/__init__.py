"""How requests leave: one small protocol (`base`), a lean client (`lean`) and one on aiohttp (`aiohttp_client`)."""
