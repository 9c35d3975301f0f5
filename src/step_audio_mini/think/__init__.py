"""Words and vectors to dialogue state, tool calls, reply and style."""
