"""Local replacements for the Pulumi resource plugins `kubernetes` and `random`.

Only for machines that cannot download the official plugins. `bin/` holds the executables that the
engine finds on PATH; the product never imports anything from here.
"""
