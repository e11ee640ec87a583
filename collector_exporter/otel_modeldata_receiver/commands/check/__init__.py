"""The command `check`: explains configuration without running anything."""
