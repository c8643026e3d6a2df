"""A client of a real Jupyter server: the requests that JupyterLab's pages make."""

import json
import socket
import uuid
from contextlib import closing

import requests
import websocket


class Server:
    """A server on this machine's loopback, asked with a token."""

    def __init__(self, port: int, token: str):
        self.port, self.token = port, token

    def request(self, method: str, path: str, token: str | None = None, body: dict | None = None) -> requests.Response:
        """Ask for `path` with our token, or with `token` (empty: with none)."""
        token = self.token if token is None else token
        headers = {"Authorization": f"token {token}"} if token else {}
        with requests.Session() as session:
            session.trust_env = False
            address = f"http://127.0.0.1:{self.port}/{path}"
            return session.request(method, address, headers=headers, json=body, timeout=60, allow_redirects=False)

    def get(self, path: str) -> dict:
        response = self.request("GET", path)
        response.raise_for_status()
        return response.json()

    def is_up(self) -> bool:
        try:
            return self.request("GET", "api/status").ok
        except requests.ConnectionError:
            return False

    def open_notebook(self, path: str) -> tuple[dict, str]:
        """What double-clicking does: read the notebook and start the kernel that it names."""
        notebook = self.get(f"api/contents/{path}")["content"]
        kernel = {"name": notebook["metadata"]["kernelspec"]["name"]}
        session = {"path": path, "name": path, "type": "notebook", "kernel": kernel}
        response = self.request("POST", "api/sessions", body=session)
        response.raise_for_status()
        return notebook, response.json()["kernel"]["id"]

    def run_all(self, kernel: str, cells: list[dict], seconds: float) -> list[list[dict]]:
        """Run the code cells one after the other as "Run All" does; what each put out, up to its first error."""
        address = f"ws://127.0.0.1:{self.port}/api/kernels/{kernel}/channels"
        header = [f"Authorization: token {self.token}"]
        connection = websocket.create_connection(address, timeout=seconds, header=header, http_no_proxy=["127.0.0.1"])
        with closing(connection):
            return [_execute(connection, cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def _execute(connection: websocket.WebSocket, code: str) -> list[dict]:
    asked = uuid.uuid4().hex
    header = {"msg_id": asked, "msg_type": "execute_request", "session": "test", "username": "", "version": "5.3"}
    content = {"code": code, "silent": False, "store_history": True, "allow_stdin": False, "stop_on_error": True}
    message = {"header": header, "parent_header": {}, "metadata": {}, "content": content, "channel": "shell"}
    connection.send(json.dumps(message | {"buffers": []}))
    outputs = []
    while True:
        said = json.loads(connection.recv())
        if said["parent_header"].get("msg_id") != asked:
            continue
        kind = said["header"]["msg_type"]
        if kind in ("stream", "display_data", "execute_result", "error"):
            outputs.append({"output_type": kind, **said["content"]})
        if kind == "status" and said["content"]["execution_state"] == "idle":
            return outputs


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
