"""The component's side: translates a call into `_sandbox.program` and back, and decides nothing.

This module is imported while the component is built; the interpreter is kept as it is when that has ended.
"""

from _sandbox import prepare

prepare.everything()

from componentize_py_types import Err  # noqa: E402
from wit_world import exports  # noqa: E402
from wit_world.exports import tool  # noqa: E402

from _sandbox import loop, program, start, web  # noqa: E402
import fetch  # noqa: E402, F401
import tools  # noqa: E402, F401

loop.install()
start.install()
web.install()


class Tool(exports.Tool):
    def run(self, code: str, input: str | None) -> tool.Output:
        start.begin()
        try:
            result = program.run(code, input)
        except BaseException:
            # What a program leaves behind, an audit hook or a module that it broke, can stop what writes its answer.
            raise Err("the program ended, and has left the interpreter so that its answer cannot be written") from None
        if isinstance(result, program.Failure):
            raise Err(result.text)
        notation = None
        if result.value is not None:
            notation = tool.Notation.JSON if result.is_json else tool.Notation.REPR
        return tool.Output(
            value=result.value,
            notation=notation,
            stdout=result.stdout,
            stderr=result.stderr,
            exit_code=result.exit_code,
            notice=result.notice,
        )


prepare.freeze(Tool().run)
