"""The command `relink`: makes the references in a moved store lead to its payloads again."""
