"""Which names belong to which symbol: the companies that ship, our own additions, and a user's file."""
