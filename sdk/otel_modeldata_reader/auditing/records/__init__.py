"""What a store says about its lines: seals of hours, tombstones of what was erased, manifests of compaction."""
