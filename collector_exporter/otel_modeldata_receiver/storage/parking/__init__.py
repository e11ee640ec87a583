"""Parking: lines of a folder that takes none are stored in the main store meanwhile, and delivered in order later."""
