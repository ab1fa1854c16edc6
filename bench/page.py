"""Tables in the docs with one row for each ProxySQL that was measured."""

import re


def with_row(page: str, mark: str, version: str, cells: list[str]) -> str:
    """A page whose table between the marks of that name has the row of a version.

    The row replaces an earlier one of the same version, or is added below the others. Raises
    ValueError for a page without the marks.
    """
    section = re.compile(rf"(<!-- begin:{mark} -->\n)(.*)(<!-- end:{mark} -->)", re.DOTALL)
    found = section.search(page)
    if found is None:
        raise ValueError(f"no marks '{mark}'")
    row = f"| {' | '.join([version, *cells])} |"
    lines = found[2].splitlines()
    known = [number for number, line in enumerate(lines) if line.startswith(f"| {version} |")]
    if known:
        lines[known[0]] = row
    else:
        lines.append(row)
    text = "".join(f"{line}\n" for line in lines)
    return page[: found.start()] + found[1] + text + found[3] + page[found.end() :]


def seconds(times: list[float]) -> str:
    """Times of several rounds as a cell: median and worst, or the one."""
    if len(times) == 1:
        return f"{times[0]:.1f} s"
    middle = sorted(times)[len(times) // 2]
    return f"{middle:.1f} s, at worst {max(times):.1f} s"
