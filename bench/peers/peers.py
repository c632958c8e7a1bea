#!/usr/bin/env python3
"""Measures vectorlink's index beside other libraries of its kind.

    make bench-peers

All get the same vectors and the same parameters (M 16, efConstruction 200,
inner product of unit vectors, one thread). First each builds its index, then
they answer the same queries in turns, all at one ef before the next ef, several
rounds of it: on a machine with other work each has its good and bad moments.
What counts is CPU time, and of several measurements the best. Queries per
second at a recall are read off between two efs, on a logarithmic scale.
"""

import argparse
import gzip
import json
import math
import os
import subprocess
import sys
import time

K = 10
M = 16
EFC = 200
EFS = [10, 15, 20, 30, 40, 60, 80, 120, 160, 240]


def load(path, kind):
    import numpy as np

    with (gzip.open if path.endswith(".gz") else open)(path, "rb") as f:
        return np.frombuffer(f.read(), {"f32": "<f4", "u8": "u1", "u32": "<u4"}[kind])


def unit(path, kind, dim):
    import numpy as np

    rows = load(path, kind).reshape(-1, dim).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


class Hnswlib:
    def __init__(self, base):
        import hnswlib

        self.index = hnswlib.Index(space="ip", dim=base.shape[1])
        self.index.init_index(len(base), M=M, ef_construction=EFC)
        self.index.set_num_threads(1)
        self.base = base

    def build(self):
        self.index.add_items(self.base, num_threads=1)

    def search(self, queries, ef):
        self.index.set_ef(ef)
        return self.index.knn_query(queries, k=K, num_threads=1)[0]


class Faiss:
    def __init__(self, base):
        import faiss

        faiss.omp_set_num_threads(1)
        self.index = faiss.IndexHNSWFlat(base.shape[1], M, faiss.METRIC_INNER_PRODUCT)
        self.index.hnsw.efConstruction = EFC
        self.base = base

    def build(self):
        self.index.add(self.base)

    def search(self, queries, ef):
        self.index.hnsw.efSearch = ef
        return self.index.search(queries, K)[1]


class Usearch:
    def __init__(self, base):
        from usearch.index import Index

        self.index = Index(ndim=base.shape[1], metric="ip", dtype="f32", connectivity=M, expansion_add=EFC)
        self.base = base

    def build(self):
        import numpy as np

        self.index.add(np.arange(len(self.base)), self.base, threads=1)

    def search(self, queries, ef):
        self.index.expansion_search = ef
        return self.index.search(queries, K, threads=1).keys


def serve(name, data):
    """A peer in a process of its own: answers as bench/ann -ef - does."""
    index = {"hnswlib": Hnswlib, "faiss": Faiss, "usearch": Usearch}[name](unit(data["base"], data["type"], data["dim"]))
    queries = unit(data["query"], data["type"], data["dim"])
    truth = load(data["truth"], "u32").reshape(len(queries), -1)[:, :K]
    began = time.process_time()
    index.build()
    print(json.dumps({"build_cpu_s": time.process_time() - began}), flush=True)
    for line in sys.stdin:
        ef = int(line)
        began = time.process_time()
        found = index.search(queries, ef)
        took = time.process_time() - began
        hits = sum(len(set(map(int, a)) & set(map(int, b))) for a, b in zip(found, truth))
        print(json.dumps({"ef": ef, "recall@10": hits / truth.size, "qps": len(queries) / took}), flush=True)


class Contender:
    """A library under measurement, in a process of its own."""

    def __init__(self, name, data, ann, avx2):
        self.name = name
        library, _, only = name.partition(", ")  # hnswlib, AVX2
        if library == "vectorlink":
            command = [ann, "-base", data["base"], "-query", data["query"], "-truth", data["truth"],
                       "-dim", str(data["dim"]), "-type", data["type"], "-m", str(M), "-efc", str(EFC),
                       "-ef", "-", "-rounds", "1", "-pool", "4096"]
            env = dict(os.environ)
        else:
            command = [sys.executable, __file__, "--serve", library, "--one", json.dumps(data)]
            env = dict(os.environ, OMP_NUM_THREADS="1")
        if only and library == "vectorlink":
            env["GODEBUG"] = "cpu.avx512f=off"
        elif only:
            env["PYTHONPATH"] = avx2
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env)
        self.build = self.read()["build_cpu_s"]
        self.points = {}

    def read(self):
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"{self.name} has ended: {self.process.wait()}")
        return json.loads(line)

    def measure(self, ef):
        self.process.stdin.write(f"{ef}\n")
        self.process.stdin.flush()
        point = self.read()
        recall, qps = self.points.get(ef, (0, 0))
        self.points[ef] = (max(recall, point["recall@10"]), max(qps, point["qps"]))

    def close(self):
        self.process.stdin.close()
        self.process.wait()

    def at(self, recall):
        """Queries per second at a recall; None if no two efs enclose it."""
        points = sorted(self.points.values())
        if points[0][0] >= recall:
            return max(qps for _, qps in points)
        for (r0, q0), (r1, q1) in zip(points, points[1:]):
            if r0 < recall <= r1:
                share = (recall - r0) / (r1 - r0)
                return math.exp(math.log(q0) * (1 - share) + math.log(q1) * share)
        return None


def compare(name, data, args):
    builds = {}
    for again in range(args.builds):
        contenders = []
        for c in args.contenders:
            contender = Contender(c, data, args.ann, args.avx2)
            builds[c] = min(builds.get(c, math.inf), contender.build)
            if again < args.builds - 1:
                contender.close()
            else:
                contenders.append(contender)
    for _ in range(args.rounds):
        for ef in EFS:
            for c in contenders:
                c.measure(ef)
    for c in contenders:
        c.close()
    def base(c):
        """What c is compared with: hnswlib on the same instructions."""
        want = "hnswlib" + c.name[len(c.name.partition(",")[0]):]
        return next((b for b in contenders if b.name == want), contenders[0])

    print(f"\n### {name}\n")
    recalls = [0.95, 0.98, 0.99, 0.995]
    print("| | build, CPU s | × | " + " | ".join(f"q/s at {r} | ×" for r in recalls) + " |")
    print("|---|--:|--:|" + "--:|--:|" * len(recalls))
    for c in contenders:
        cells = [c.name, f"{builds[c.name]:.1f}", f"{builds[c.name] / builds[base(c).name]:.2f}"]
        for r in recalls:
            mine, theirs = c.at(r), base(c).at(r)
            cells += [f"{mine:,.0f}" if mine else "–", f"{mine / theirs:.1f}" if mine and theirs else "–"]
        print("| " + " | ".join(cells) + " |")
    if args.points:
        for c in contenders:
            for ef in EFS:
                print(f"    {c.name:18} ef {ef:4}  recall {c.points[ef][0]:.4f}  {c.points[ef][1]:8,.0f} q/s")
    sys.stdout.flush()


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--ann", help="the program of bench/ann")
    p.add_argument("--avx2", help="directory of an hnswlib compiled without AVX-512")
    p.add_argument("--sentences", help="directory that bench/sentences has written to")
    p.add_argument("--mnist", help="directory of the MNIST files; left out where it is not")
    p.add_argument("--only", default="mnist,sentences-384,sentences-1536", help="data sets, a list")
    p.add_argument("--contenders", default="vectorlink,hnswlib,faiss,usearch,vectorlink-avx2,hnswlib-avx2", 
                   help="a list; with -avx2 added, a library without AVX-512")
    p.add_argument("--rounds", type=int, default=5, help="of queries")
    p.add_argument("--builds", type=int, default=2)
    p.add_argument("--points", action="store_true", help="print every ef as well")
    p.add_argument("--serve", help=argparse.SUPPRESS)
    p.add_argument("--one", help=argparse.SUPPRESS)
    args = p.parse_args()
    if args.serve:
        return serve(args.serve, json.loads(args.one))
    args.contenders = [c.replace("-avx2", ", AVX2") for c in args.contenders.split(",")]
    sets = {}
    if args.mnist and os.path.isdir(args.mnist):
        at = lambda f: os.path.join(args.mnist, f)
        sets["mnist"] = ("MNIST, 60,000 × 784", dict(
            base=at("mnist-784-base.u8.gz"), query=at("mnist-784-query.u8.gz"),
            truth=at("mnist-784-cosine-top100.u32.gz"), dim=784, type="u8"))
    for dim in (384, 1536):
        at = lambda f: os.path.join(args.sentences, f"sentences-{dim}-{f}")
        sets[f"sentences-{dim}"] = (f"Sentence embeddings, 60,000 × {dim}", dict(
            base=at("base.f32"), query=at("query.f32"), truth=at("top100.u32"), dim=dim, type="f32"))
    for name in args.only.split(","):
        if name in sets:
            compare(*sets[name], args)
        else:
            print(f"no data: {name}", file=sys.stderr)


if __name__ == "__main__":
    main()
