"""Tables in the docs with one row for each ProxySQL that was measured."""

from tools.marks import with_section


def with_row(page: str, section: str, version: str, cells: list[str]) -> str:
    """A page whose table in that section has the row of a version.

    The row replaces an earlier one of the same version, or is added below the others. Raises
    ValueError for a page without the section.
    """
    row = f"| {' | '.join([version, *cells])} |"

    def table(text: str) -> str:
        lines = text.splitlines()
        known = [number for number, line in enumerate(lines) if line.startswith(f"| {version} |")]
        if known:
            lines[known[0]] = row
        else:
            lines.append(row)
        return "".join(f"{line}\n" for line in lines)

    return with_section(page, section, table)


def seconds(times: list[float]) -> str:
    """Times of several rounds as a cell: median and worst, or the one."""
    if len(times) == 1:
        return f"{times[0]:.1f} s"
    middle = sorted(times)[len(times) // 2]
    return f"{middle:.1f} s, at worst {max(times):.1f} s"
