"""From rows to what figures are made of, in one pass and in bounded memory."""
