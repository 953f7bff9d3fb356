"""How each kind of server is asked and read: three functions a protocol."""
