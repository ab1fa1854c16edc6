"""What all Pods have in common."""
