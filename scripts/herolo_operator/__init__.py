"""The operator's commands: deploy Herolo to AWS, show its state, and remove it. Started by scripts/operate."""
