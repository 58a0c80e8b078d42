"""A table of a store read by many at once."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import httpx
import numpy as np
import pyarrow

from msc_plans.storage import TiledServer, opened

READERS, READS = 12, 4
# reading it takes the database longer than the server takes to answer, so that readers meet there
ROWS = 100_000


def test_twelve_readers_of_tables_at_once_are_all_answered(tmp_path):
    rows = pyarrow.table({"number": np.arange(ROWS), "value": np.arange(ROWS) / 3.0})
    with TiledServer(tmp_path / "store") as server, opened(server.uri, server.api_key) as catalog:
        table = catalog.create_appendable_table(rows.schema, key="table")
        table.append_partition(0, rows)
        url = table.item["links"]["full"]
        together = threading.Barrier(READERS)

        def read(_: int) -> list[str]:
            headers = {"Authorization": f"Apikey {server.api_key}", "Accept": "application/vnd.apache.arrow.file"}
            answers = []
            with httpx.Client(headers=headers, timeout=60.0) as client:
                together.wait(30.0)
                for _ in range(READS):
                    try:
                        answer = client.get(url)
                    except httpx.HTTPError as error:
                        answers.append(type(error).__name__)
                    else:
                        answers.append(f"status {answer.status_code}")
                        if answer.status_code == 200:
                            values = pyarrow.ipc.open_file(answer.content).read_all()["value"].to_numpy()
                            answers[-1] = "as written" if np.array_equal(values, rows["value"]) else "other values"
            return answers

        with ThreadPoolExecutor(READERS) as pool:
            found = Counter(answer for answers in pool.map(read, range(READERS)) for answer in answers)
    assert found == {"as written": READERS * READS}
