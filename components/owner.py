"""Which stack an object of an operator belongs to, as others can read it there."""

import pulumi

ANNOTATION = "mysql-ha/stack"


def this_stack() -> str:
    """The stack's full name: organization, project and stack."""
    return f"{pulumi.get_organization()}/{pulumi.get_project()}/{pulumi.get_stack()}"


def annotations() -> dict[str, str]:
    """Of what another stack must not make again."""
    return {ANNOTATION: this_stack()}
