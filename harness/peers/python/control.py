"""What both Python peers share: the clock, work by the way, and the hands of a test on stdin and stdout.

One JSON request per line on stdin, one JSON answer per line on stdout, until stdin closes:

    {"id": 1, "verb": "ev.plug", "args": {"connector": 1}}  ->  {"id": 1, "outcome": "done"}
"""

import asyncio
import inspect
import json
import sys
from datetime import datetime, timezone

_tasks = set()


def now():
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def spawn(work, pause=0):
    """Has the work done by the way. A handler leaves a pause, so that its answer goes out first."""

    async def later():
        await asyncio.sleep(pause)
        return await work

    task = asyncio.create_task(later())
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)
    return task


async def together(*coroutines):
    """Ends all of them with the first that fails, and passes its error on. They are cancelled until they end: `wait_for` of
    Python 3.11 loses a cancellation that comes together with what it waits for."""
    tasks = [asyncio.ensure_future(coroutine) for coroutine in coroutines]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
    while any([task.cancel() for task in tasks]):
        await asyncio.sleep(0.05)
    for task in tasks:
        if not task.cancelled():
            task.result()


async def serve(perform):
    """Asks perform(verb, args) for each request; its answer is an outcome such as {"outcome": "done"}."""
    while line := await asyncio.to_thread(sys.stdin.readline):
        request = json.loads(line)
        try:
            answer = perform(request["verb"], request.get("args", {}))
            answer = await answer if inspect.isawaitable(answer) else answer
        except Exception as error:
            answer = {"outcome": "failed", "message": repr(error)}
        print(json.dumps({"id": request["id"], **answer}), flush=True)
