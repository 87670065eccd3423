"""An HTTP/1.1 server whose answers leave at their own times, and the player behind it."""
