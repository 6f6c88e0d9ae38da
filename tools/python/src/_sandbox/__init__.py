"""What stands between a call and the program that it brings.

`prepare` runs while the component is built, `start` at the beginning of each call, `program` is the call itself; `text` and
`failure` write what came of it; `loop`, `web` and `calls` are what `asyncio`, `urllib` and `tools` stand on.
"""
