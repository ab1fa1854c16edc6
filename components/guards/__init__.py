"""What must hold before anything is made or changed."""
