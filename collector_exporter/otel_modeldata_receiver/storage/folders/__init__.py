"""What the sink keeps about its folders: names, turns, which are open, their ids, and what their blobs must contain."""
