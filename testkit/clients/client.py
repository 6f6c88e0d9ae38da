"""The official Python SDK against a server that offers `testkit/guests/mcp-fixture.wat`.

    client.py initialize|discover http URL
    client.py initialize|discover stdio COMMAND [ARGUMENT ...]

Lists the tools, calls some, gives one up in the middle of its call, and prints what it saw as one JSON object. `initialize` opens a session
as clients always did; `discover` asks first which revision the server prefers. A token for the server is in CAPLET_TOKEN.
"""

import asyncio
import json
import os
import sys
import time

import httpx2
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client


def transport(kind, target):
    if kind == "stdio":
        return StdioServerParameters(command=target[0], args=target[1:], env=dict(os.environ))
    token = os.environ.get("CAPLET_TOKEN")
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    # A stream of events may be silent for long.
    http = httpx2.AsyncClient(headers=headers, timeout=httpx2.Timeout(30, read=300))
    return streamable_http_client(target[0], http_client=http)


def text(result):
    return next(block.text for block in result.content if block.type == "text")


def named(tools):
    """The tools by the names that the suite knows, whether the toolbox gives them or not."""
    return {tool.name.replace("-", "_"): tool.name for tool in tools}


async def progress_of(client, tool):
    seen = []

    async def heard(progress, total, message):
        seen.append(progress)

    await client.call_tool(tool, {}, progress_callback=heard)
    return seen


async def give_up(client, tool):
    """Calls what never ends, gives it up when it runs, and says after how many milliseconds that was done."""
    running = asyncio.Event()

    async def heard(progress, total, message):
        running.set()

    call = asyncio.create_task(client.call_tool(tool, {}, progress_callback=heard))
    await running.wait()
    started = time.monotonic()
    call.cancel()
    try:
        await call
    except asyncio.CancelledError:
        return round((time.monotonic() - started) * 1000)
    return None


async def main():
    mode, kind, *target = sys.argv[1:]
    logs = []

    async def logged(params):
        logs.append(params.level)

    options = {"mode": "legacy" if mode == "initialize" else "auto", "logging_callback": logged, "log_level": "info"}
    async with Client(transport(kind, target), **options) as client:
        tools = named((await client.list_tools()).tools)
        if mode == "initialize":
            await client.set_logging_level("info")
        image = await client.call_tool(tools["test_image_content"], {})
        failed = await client.call_tool(tools["test_error_handling"], {})
        seen = {
            "revision": client.protocol_version,
            "tools": sorted(tools),
            "echo": text(await client.call_tool(tools["test_echo"], {"text": "hé\u2028llo"})),
            "image": next((block.mime_type for block in image.content if block.type == "image"), None),
            "failed": [failed.is_error, text(failed)],
            "refused": (await client.call_tool(tools["test_echo"], {"text": 1})).is_error,
            "progress": await progress_of(client, tools["test_tool_with_progress"]),
            "given_up_ms": await give_up(client, tools["test_spin"]),
            "after": text(await client.call_tool(tools["test_echo"], {"text": "still here"})),
            "logs": sorted(set(logs)),
        }
    print(json.dumps(seen))


asyncio.run(main())
