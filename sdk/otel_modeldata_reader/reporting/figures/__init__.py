"""What a report says, as values: frozen, without methods that read or draw, and equal to their JSON."""
