"""Commands for those who run a database; nothing of the program imports them."""
