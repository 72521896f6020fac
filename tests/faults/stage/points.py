"""Fault points: comments such as `# fault: intent-committed` in production code, and what they become in the bench.

Production runs comments, that is nothing. In the bench's processes an import hook compiles every module of
`playground` with each marker replaced by a call of `hit`, which writes the hit down and kills or freezes the process
where the plan says so. `FAULT=intent-committed:2` kills any single process at its second hit.
"""

import os
import re
import signal
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType

ROOT = Path(__file__).resolve().parents[3]
MARK = re.compile(r"^( *)# fault: ([a-z]+(?:-[a-z]+)*)$", re.MULTILINE)
CALL = rf'\1__import__("{__name__}", fromlist=["hit"]).hit("\2")'
KILL, FREEZE = "kill", "freeze"


@dataclass(frozen=True)
class Plan:
    """What happens to whichever process comes first: `how` at the `nth` hit of `point` in it.

    `token` is a file that can be made once, so that of several processes with one plan only one is struck.
    """

    point: str
    nth: int = 1
    how: str = KILL
    token: str = ""


_plans: list[Plan] = []
_counts: Counter[str] = Counter()
_written = -1


def arm(plans: Sequence[Plan], *, log: Path) -> None:
    """Begin to count in this process; hits go to `log` as `<pid> <point> <what happened>`."""
    global _written
    _counts.clear()
    _plans[:] = plans
    _written = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)


def hit(point: str) -> None:
    if _written < 0:
        return
    _counts[point] += 1
    for plan in _plans:
        if plan.point == point and plan.nth == _counts[point] and _is_first(plan):
            _write(point, plan.how)
            os.kill(os.getpid(), signal.SIGKILL if plan.how == KILL else signal.SIGSTOP)
            return
    _write(point, "passed")


def _is_first(plan: Plan) -> bool:
    if not plan.token:
        return True
    try:
        os.close(os.open(plan.token, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    except FileExistsError:
        return False
    return True


def _write(point: str, what: str) -> None:
    os.write(_written, f"{os.getpid()} {point} {what}\n".encode())


def in_code() -> list[tuple[str, str]]:
    """(point, file) of every marker in the production code."""
    files = sorted((ROOT / "playground").rglob("*.py"))
    return [(match[2], str(file.relative_to(ROOT))) for file in files for match in MARK.finditer(file.read_text())]


class _Loader(SourceFileLoader):
    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        source, points = MARK.subn(CALL, self.get_data(path).decode())
        if not points and (code := super().get_code(fullname)):  # from its bytecode
            return code
        return compile(source, path, "exec", dont_inherit=True)


class _Finder(MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not fullname.startswith("playground."):
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and type(spec.loader) is SourceFileLoader:
            spec.loader = _Loader(fullname, spec.loader.path)
        return spec


def install() -> None:
    """From now on modules of `playground` are compiled with their fault points. Before any of them is imported."""
    early = [name for name in sys.modules if name.startswith("playground.")]
    if early:
        raise RuntimeError(f"imported before the fault points: {early[:3]}")
    sys.meta_path.insert(0, _Finder())
    if wanted := os.environ.get("FAULT"):
        point, _, nth = wanted.partition(":")
        arm([Plan(point, int(nth or 1))], log=Path(os.environ["FAULT_HITS"]))
