"""Has the integration tests of Embeddinghub's repository use the package embeddinghub
and a server that runs at ADDRESS."""

import os
import subprocess
import sys
import types

from embeddinghub import client

subprocess.Popen = lambda *_: types.SimpleNamespace(kill=lambda: None)  # the original server's
os.environ["TEST_SRCDIR"] = ""
for name in ("sdk", "sdk.python", "sdk.python.embeddinghub"):
    sys.modules[name] = types.ModuleType(name)
sys.modules["sdk.python"].embeddinghub = sys.modules["sdk.python.embeddinghub"]
sys.modules["sdk.python.embeddinghub"].EmbeddingHubClient = lambda port: client.EmbeddingHubClient(
    grpc_channel=client.grpc.insecure_channel(os.environ["ADDRESS"])
)
