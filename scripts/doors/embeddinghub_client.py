"""Has the package embeddinghub use a space of the server at HOST PORT, by every call of it
that works."""

import sys
import uuid

import embeddinghub
import grpc

host, port = sys.argv[1:3]
name = sys.argv[3] if len(sys.argv) > 3 else "hub-%s" % uuid.uuid4().hex
hub = embeddinghub.connect(embeddinghub.Config(host=host, port=port))

hub.create_space(name, 3)  # 1
space = hub.create_space(name, 3)  # again
try:
    hub.create_space(name, 4)
    raise AssertionError("a space was created again with other dimensions")
except grpc.RpcError as e:
    assert e.code() == grpc.StatusCode.INVALID_ARGUMENT, e
space = hub.get_space(name)  # 2
try:
    hub.get_space("no-such-space")
    raise AssertionError("there is a space that nobody created")
except grpc.RpcError as e:
    assert e.code() == grpc.StatusCode.NOT_FOUND, e

space.set("a", [1, 2, 3])  # 3
assert space.get("a") == [1, 2, 3]  # 4
assert space.get("none") == []
third = 1 / 3
space.set("third", [third, third, third])
assert all(abs(x - third) < 1e-7 for x in space.get("third"))
space.multiset({"b": [1, 2, 4], "c": [9, 9, 9]})  # 5
space.multiset((str(n), [n, n, n]) for n in range(1000))  # from a generator
assert [list(v) for v in space.multiget(["c", "none", "a", "7"])] == [[9, 9, 9], [], [1, 2, 3], [7, 7, 7]]  # 6
assert [list(v) for v in space.multiget(str(n) for n in range(1000))][999] == [999, 999, 999]
assert list(space.nearest_neighbors(2, key="a"))[0] == "b"  # 7: without itself
assert len(space.nearest_neighbors(50, key="a")) == 50
space.delete("c")  # 8
assert space.get("c") == []
space.delete("none")
space.multidelete(str(n) for n in range(1000))  # 9
assert {k: list(v) for k, v in space.iterator() if k != "third"} == {"a": [1, 2, 3], "b": [1, 2, 4]}  # 10
try:
    space.set("d", [1, 2])
    raise AssertionError("a vector of two numbers was taken")
except grpc.RpcError as e:
    assert e.code() == grpc.StatusCode.INVALID_ARGUMENT, e
try:
    space.multiset([("d", [1, 2, 3]), ("e", [1, 2])])
    raise AssertionError("a stream with a wrong vector was taken")
except grpc.RpcError as e:
    assert e.code() == grpc.StatusCode.INVALID_ARGUMENT, e
assert space.get("d") == [], "something of a refused stream was stored"
hub._client.freeze_space(name)
try:
    space.set("a", [3, 2, 1])
    raise AssertionError("a frozen space was written")
except TypeError as e:
    assert "immutable" in str(e), e
hub.delete_space(name)  # 11
try:
    hub.get_space(name)
    raise AssertionError("a deleted space is there")
except grpc.RpcError as e:
    assert e.code() == grpc.StatusCode.NOT_FOUND, e
hub.close()
print("embeddinghub 0.0.1.post12 on Python %d.%d passes" % sys.version_info[:2])
