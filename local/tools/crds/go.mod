module mysql-ha/local/tools/crds

go 1.25.0

// Only the custom resource definitions in these modules are used, never their code: no go.sum of their dependencies.
require (
	github.com/cert-manager/cert-manager v1.18.2
	github.com/percona/percona-xtradb-cluster-operator v1.15.0
)
