"""The component's side: what wit/world.wit declares, by the functions of words.py."""

from componentize_py_types import Err
from wit_world import exports
from wit_world.exports.words import Frequency, Summary

from words import summarize


class Words(exports.Words):
    def summarize(self, text: str, top: int | None) -> Summary:
        try:
            lines, words, frequent = summarize(text, 5 if top is None else top)
        except ValueError as error:
            # Raised as `Err`, it is the error of the function's result.
            raise Err(str(error)) from error
        return Summary(lines, words, [Frequency(*pair) for pair in frequent])
