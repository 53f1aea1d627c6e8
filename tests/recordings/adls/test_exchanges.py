"""The reader of recordings, on small files in the form of each recorder."""

from __future__ import annotations

import json
from pathlib import Path

from tests.recordings.adls.exchanges import load
from tests.recordings.adls.replay import replay

VCR = """
interactions:
- request:
    body: null
    headers:
      x-ms-version: ['2021-08-06']
    method: PUT
    uri: https://storagename.dfs.core.windows.net/fs1/a%2Fb?resource=directory
  response:
    body: {string: ''}
    headers:
      ? !!python/object/new:multidict._multidict.istr
      - Content-Length
      : '0'
      Date: ['Wed, 19 Jun 2024 10:54:54 GMT']
      ETag: ['"0x8DC904E406E0065"']
      Last-Modified: ['Wed, 19 Jun 2024 10:54:54 GMT']
      Server: [Windows-Azure-HDFS/1.0 Microsoft-HTTPAPI/2.0]
      x-ms-request-server-encrypted: ['true']
      x-ms-version: ['2021-08-06']
    status: {code: 201, message: Created}
    url: !!python/object/new:yarl.URL
      state: !!python/tuple
      - !!python/object/new:urllib.parse.SplitResult [https, x, /fs1/a%2Fb, resource=directory, '']
"""


def _test_proxy(message: str) -> str:
    entry = {
        "RequestUri": "https://storagename.dfs.core.windows.net/fs1/a?action=setAccessControl",
        "RequestMethod": "PATCH",
        "RequestHeaders": {"x-ms-acl": "asdf", "x-ms-version": "2021-08-06"},
        "RequestBody": None,
        "StatusCode": 400,
        "ResponseHeaders": {
            "Content-Type": "application/json; charset=utf-8",
            "Date": "Wed, 19 Jun 2024 10:54:54 GMT",
            "Server": ["Windows-Azure-HDFS/1.0", "Microsoft-HTTPAPI/2.0"],
            "x-ms-error-code": "InvaldAccessControlList",
            "x-ms-version": "2021-08-06",
        },
        "ResponseBody": {
            "error": {
                "code": "InvaldAccessControlList",
                "message": f"{message}\nRequestId:00000000-0000-0000-0000-000000000000"
                "\nTime:2024-06-19T10:54:54.0000000Z",
            }
        },
    }
    return json.dumps({"Entries": [entry], "Variables": {}})


def test_a_recording_of_an_asynchronous_client_is_read(tmp_path: Path) -> None:
    """Its header names and URLs are objects of other libraries, which need not be there."""
    path = tmp_path / "recording.yaml"
    path.write_text(VCR)
    (exchange,) = load(path)
    assert exchange.headers["content-length"] == "0"
    assert exchange.query == {"resource": "directory"}
    assert list(replay(path)) == []


def test_a_recording_of_the_test_proxy_is_read(tmp_path: Path) -> None:
    """With parsed bodies and headers in parts."""
    path = tmp_path / "recording.json"
    path.write_text(_test_proxy("The access control list value is invalid."))
    (exchange,) = load(path)
    assert exchange.headers["server"] == "Windows-Azure-HDFS/1.0 Microsoft-HTTPAPI/2.0"
    assert list(replay(path)) == []
    path.write_text(_test_proxy("Something else."))
    assert len(list(replay(path))) == 1
