"""The bucket of the fault suite."""

from dataclasses import replace

import pytest

from fault_bucket import OBJECTS, cut_small
from fault_server import running_server
from laion_fmri.storage import retry


@pytest.fixture
def patience(monkeypatch):
    """A function that sets how long a remote is waited for."""

    def set_patience(**limits):
        monkeypatch.setattr(retry, "PATIENCE", replace(retry.PATIENCE, **limits))

    return set_patience


@pytest.fixture
def faulty(data_dir, patience, monkeypatch):
    """A bucket with a session of sub-03, which fails as its `faults` say; a client that asks again at once."""
    cut_small(monkeypatch)
    patience(pause=0, tries=3, progress=1)
    with running_server(OBJECTS) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", server.address)
        yield server
