"""``ava-tools validate``."""

from __future__ import annotations

import json as json_files
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from ava_tools.cli.run import patience, refuse_collisions

if TYPE_CHECKING:
    from ava_tools.validate import Finding

_MOST = 10  # findings of a kind that are shown


def validate(
    source: Path,
    *,
    json: Path | None = None,
    deep: Annotated[bool, Parameter(negative="")] = False,
    overwrite: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Find what is wrong with a data set before anything is trained on it: file, line, and how to mend it.

    Errors end in exit code 1; warnings alone do not. Films are looked into at their beginnings; --deep finds damage
    within them.

    Args:
        source: Folder with dataset.yaml, or that file.
        json: File for all findings.
        deep: Decode the annotated key frames too, which takes as long as the films ask for.
        overwrite: Replace an existing file; else the next free name is taken.
    """
    from ava_tools.cli.outputs import save_under
    from ava_tools.manifest import read_data_set
    from ava_tools.validate import validate as findings_of

    if json is not None:
        manifest = source / "dataset.yaml" if source.is_dir() else source
        refuse_collisions([manifest, *read_data_set(source).files], [json])
    with patience("validating"):
        findings = findings_of(source, deep)
    print("\n".join(_lines(findings, source)))
    if json is not None:
        print(save_under(json, overwrite, [], partial(_save, findings)))
    return int(any(finding.severity == "error" for finding in findings))


def _save(findings: Sequence[Finding], path: Path) -> None:
    from ava_tools.atomic import replacing

    content = {
        "errors": sum(finding.severity == "error" for finding in findings),
        "warnings": sum(finding.severity == "warning" for finding in findings),
        "findings": [vars(finding) | {"file": str(finding.file)} for finding in findings],
    }
    with replacing(path) as temporary:
        temporary.write_text(json_files.dumps(content, indent=1, ensure_ascii=False), encoding="utf-8")


def _lines(findings: Sequence[Finding], source: Path) -> Iterator[str]:
    if not findings:
        yield f"{source}: nothing is wrong"
        return
    folder = (source if source.is_dir() else source.parent).resolve()
    kinds: dict[tuple[str, str], list[Finding]] = {}
    for finding in sorted(findings, key=lambda finding: finding.severity):  # errors come first
        kinds.setdefault((finding.severity, finding.check), []).append(finding)
    for (severity, check), found in kinds.items():
        yield f"{severity} {check}: {found[0].mend}"
        for finding in found[:_MOST]:
            file = finding.file.resolve()
            shown = file.relative_to(folder) if file.is_relative_to(folder) else finding.file
            yield f"  {shown}{f', line {finding.line}' if finding.line else ''}: {finding.found}"
        if len(found) > _MOST:
            yield f"  ... and {len(found) - _MOST:,} more"
        yield ""
    errors = sum(finding.severity == "error" for finding in findings)
    yield f"{source}: {errors:,} errors, {len(findings) - errors:,} warnings"
