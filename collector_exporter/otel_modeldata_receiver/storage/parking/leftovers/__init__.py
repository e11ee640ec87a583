"""What is parked and not to be delivered now."""
