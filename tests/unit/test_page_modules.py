"""The imports of the page's JavaScript modules."""

import re
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

JS = Path(__file__).resolve().parents[2] / "client" / "js"
IMPORT = re.compile(r"""^(?:import|export)\b[^;]*?["'](\.[^"']+)["'];""", re.MULTILINE)


def imports_of(module: Path) -> set[Path]:
    return {(module.parent / path).resolve() for path in IMPORT.findall(module.read_text())}


def test_the_modules_of_the_page_import_each_other_without_a_cycle() -> None:
    graph = {module: imports_of(module) for module in JS.rglob("*.js")}
    assert set().union(*graph.values()) < graph.keys()  # each imported file was read
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(str(module.relative_to(JS)) for module in error.args[1]))


def test_an_import_over_several_lines_is_found(tmp_path: Path) -> None:
    module = tmp_path / "a.js"
    module.write_text(
        'import {\n  one,\n  two,\n} from "./b.js";\nexport { three } from "../c.js";\n'
    )
    assert imports_of(module) == {tmp_path / "b.js", tmp_path.parent / "c.js"}
