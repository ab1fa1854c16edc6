"""What a stack may say: models, sizes, checks, and `load`, which reads it. Without secrets."""
