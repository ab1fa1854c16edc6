"""A real Kubernetes on this machine: kubelets, containers, an operator with its webhooks.

Each node is a network namespace, a mount namespace and a cgroup with a containerd, a kubelet and a
kube-proxy of its own. Nothing of the machine's own is touched or installed.
"""
