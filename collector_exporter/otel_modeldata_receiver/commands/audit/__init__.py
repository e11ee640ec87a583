"""The command `audit`: what a store holds against what the producers say they sent."""
