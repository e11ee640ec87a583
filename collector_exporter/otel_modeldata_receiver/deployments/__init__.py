"""Deployment YAML files, the destinations they name, and Azure ML data assets."""
