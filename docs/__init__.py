"""The project's documentation, and `docs.tables`, which keeps its tables true."""
