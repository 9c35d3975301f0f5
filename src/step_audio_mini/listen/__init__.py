"""Speech to vectors, words, times and end of turn."""
