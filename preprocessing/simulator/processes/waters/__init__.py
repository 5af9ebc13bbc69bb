"""Rivers, lakes and coasts."""
