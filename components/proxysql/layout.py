"""Where the files of a proxy's Pod are: the texts and the Pod spec agree on these."""

from components.topology import CA_KEY

CONFIG_DIR = "/etc/proxysql"
"""What a Pod starts from, and the scripts that ProxySQL runs."""
CNF_FILE = "proxysql.cnf"
ADMIN_LOGIN_FILE = "admin.cnf"
SELF_CHECK_FILE = "self-check.sql"
RELOAD_LIVE_FILE = "reload.sh"
RELOAD_TLS_FILE = "reload-tls.sh"
WATCHER_FILE = "watch-primary.sh"
MONITOR_LOGIN_FILE = "monitor.cnf"

LIVE_DIR = "/etc/proxysql-users"
"""What changes while ProxySQL runs: logins and peers, and their checks."""
USERS_FILE = "users.cnf"
PEERS_FILE = "peers.cnf"
READ_CHECK_FILE = "read.sql"
"""Whether ProxySQL has read all of both files."""
IN_USE_CHECK_FILE = "in-use.sql"
"""Whether it runs with all of both files."""

TLS_DIR = "/etc/proxysql-tls"
"""The certificate for clients."""
CERT_FILE, KEY_FILE, CA_FILE = "proxysql-cert.pem", "proxysql-key.pem", "proxysql-ca.pem"
"""Names that ProxySQL looks for in its data directory; all three or none (src/proxy_tls.cpp)."""

CA_DIR = "/etc/proxysql-ca"
SERVER_CA = f"{CA_DIR}/{CA_KEY}"
"""Of the servers' certificates."""

DATA_DIR = "/var/lib/proxysql"
