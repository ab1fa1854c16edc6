"""mysql-ha: a MySQL-compatible database on Kubernetes that stays up, as Pulumi components."""
