"""A table: each column is an input, and the function gets a pandas.DataFrame. Needs `pip install pandas`."""

import modelmill
import numpy as np

Houses = modelmill.Table[{"area": np.float32, "rooms": np.int64, "city": str}]


@modelmill.model(output="price")
def house_price(houses: Houses) -> list[float]:
    by_city = houses["city"].map({"Paris": 9000.0, "Rome": 5000.0}).fillna(3000.0)
    return houses["area"] * by_city + 10_000.0 * houses["rooms"]
