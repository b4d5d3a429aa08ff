"""Calls two other models of the server at the same time. Async functions run many requests at once in one worker."""

import asyncio

import modelmill
import numpy as np

Row = modelmill.Tensor[np.float32, 1, 4]


@modelmill.model
async def both(x: Row) -> {"doubled": Row, "label": str}:
    doubled, sentiment = await asyncio.gather(
        modelmill.call_async("double", x=x),
        modelmill.call_async("sentiment", text=np.array(b"a good row")),
    )
    return {"doubled": doubled["output"], "label": sentiment["label"][()].decode()}
