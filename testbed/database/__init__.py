"""MariaDB servers on loopback, and the SQL that mariadb-operator sends them."""
