"""The servers, by the operator that runs them."""
