"""From an accepted record to its acknowledgment: queue, disk, retries, transport."""
