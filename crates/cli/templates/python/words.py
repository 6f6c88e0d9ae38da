"""What the tool does, in plain Python: `python3 -m unittest` tries it without a sandbox."""

import re
from collections import Counter

# The most words that an answer names, so that it stays short.
MOST = 100


def summarize(text: str, top: int = 5) -> tuple[int, int, list[tuple[str, int]]]:
    """Counts the lines and words of `text`, and names its `top` most frequent words.

    What is raised here reaches the caller as the tool's error: it says what to do next.
    """
    if top > MOST:
        raise ValueError(
            f"top is {top}, and at most {MOST} words are named: ask for fewer"
        )
    words = re.findall(r"[^\W_]+", text.lower())
    frequent = sorted(Counter(words).items(), key=lambda item: (-item[1], item[0]))
    lines = text.count("\n") + (text != "" and not text.endswith("\n"))
    return lines, len(words), frequent[:top]
