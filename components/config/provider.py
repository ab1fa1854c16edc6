"""The settings that Pulumi's Kubernetes provider takes, by the kind of their values.

They are the arguments of `pulumi_kubernetes.Provider`, by their names in a stack's file.
"""

TEXTS = ("cluster", "clusterIdentifier", "context", "namespace")
SWITCHES = (
    *("deleteUnreachable", "enablePatchForce", "enableServerSideApply", "skipUpdateUnreachable"),
    *("suppressDeprecationWarnings", "suppressHelmHookWarnings", "upsertExistingObjects"),
)
OBJECTS = ("helmReleaseSettings", "kubeClientSettings")
OWN = ("enableSecretMutable", "enableConfigMapMutable")
"""What the program sets itself."""
RENDERING = ("renderYamlToDirectory", "alwaysRender")
"""With which it writes files instead of deploying."""
KNOWN = (*TEXTS, *SWITCHES, *OBJECTS, *OWN, *RENDERING, "kubeconfig")
