"""One module for each command, called as the command, and what they share."""
