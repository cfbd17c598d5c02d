"""The miniature, its server, and two guards: no test leaves this machine or sees the user's own settings."""

import os
import re
import shutil
import socket
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, settings

from laion_fmri.catalog import load_catalog
from laion_fmri.catalog.filters import gated_test, held_out_test
from laion_fmri.catalog.policies import Acknowledge
from laion_fmri.catalog.templates import local_path
from laion_fmri.config import dataset_initialize
from laion_fmri.sandbox import make_dataset, serve
from laion_fmri.sandbox.access import AccessService, Member
from laion_fmri.storage import system
from laion_fmri.storage.surroundings import proxy_for
from laion_fmri.storage.wire import Wire

# The same examples in every run: a test that fails here fails everywhere, on a busy machine too.
settings.register_profile("suite", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")


def refuse_other_machines(host):
    name = host.decode() if isinstance(host, bytes) else host
    if name and len(name) > 253:  # more than a name may have: nobody can be asked for it
        return
    if name not in (None, "", "localhost", "::1") and not name.startswith("127."):
        raise AssertionError(f"a test tried to reach {name}; tests talk to this machine only")


@pytest.fixture(autouse=True, scope="session")
def only_this_machine():
    def guarded(connect):
        def call(self, address):
            if self.family in (socket.AF_INET, socket.AF_INET6):
                refuse_other_machines(address[0])
            return connect(self, address)

        return call

    def getaddrinfo(host, *args, **kwargs):
        refuse_other_machines(host)
        return find(host, *args, **kwargs)

    def ask(self, request, listener):
        refuse_other_machines(urlsplit(proxy_for(request.url) or request.url).hostname)
        return send(self, request, listener)

    find, send = socket.getaddrinfo, Wire.ask
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", guarded(socket.socket.connect))
        patch.setattr(socket.socket, "connect_ex", guarded(socket.socket.connect_ex))
        patch.setattr(socket, "getaddrinfo", getaddrinfo)
        patch.setattr(Wire, "ask", ask)
        patch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)  # commands start compiled, as they do for their users
        yield


@pytest.fixture(autouse=True)
def no_config(tmp_path_factory, monkeypatch):
    """A home without settings, as in a new process; the test's own."""
    home = tmp_path_factory.mktemp("home")
    for name in os.environ:
        if name.startswith(("AWS_", "LAION_FMRI_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / ".config"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / ".cache"))
    monkeypatch.setattr("laion_fmri.download._last_data_dir", [])
    return home


@pytest.fixture(autouse=True)
def hardly_any_pause(monkeypatch):
    """Nobody waits for the next try; how long one would have waited is for the tests of that decision."""
    wait = system.wait
    monkeypatch.setattr(system, "wait", lambda seconds, stop=None: wait(min(seconds, 0.001), stop))


@pytest.fixture(autouse=True)
def data_of_examples(request):
    """Give the examples of docstrings that load something a data directory with everything but held-out data."""
    reads = r">>> .*(load_\w+|localizer_\w+|Captions|Segmentations|get_train_test_ids)\("
    if isinstance(request.node, pytest.DoctestItem) and re.search(reads, request.node.dtest.docstring):
        request.getfixturevalue("here_images")


@pytest.fixture(scope="session")
def miniature(tmp_path_factory):
    """The folder of the miniature; not to be changed."""
    folder = tmp_path_factory.mktemp("miniature")
    make_dataset(folder)
    return folder


@pytest.fixture(scope="session")
def running(miniature):
    with serve(miniature) as server:
        yield server


@pytest.fixture
def server(running, no_config, monkeypatch):
    """The server, to which the environment points; a test that changes its bucket puts it back."""
    for name, value in running.environment(no_config).items():
        monkeypatch.setenv(name, value)
    return running


@pytest.fixture
def service(server):
    """The access service of the miniature, new for this test."""
    (name, known), *_ = server.services.items()
    server.web.routes[name] = AccessService(known.policy, known.contents)
    yield server.web.routes[name]
    server.web.routes[name] = known


@pytest.fixture
def agreed(service, no_config):
    """The access service of the miniature, with an agreement whose identifier is kept."""
    service.members["lfm_of_the_tests"] = Member({}, service.terms_version)
    kept = no_config / ".cache" / "laion-fmri" / "auth.json"
    kept.parent.mkdir(mode=0o700, parents=True)
    kept.touch(0o600)
    kept.write_text('{"request_id": "lfm_of_the_tests"}')
    return service


@pytest.fixture
def fresh_dir(no_config, tmp_path):
    """A configured data directory without a licence."""
    folder = tmp_path / "data"
    folder.mkdir()
    dataset_initialize(str(folder))
    return folder


@pytest.fixture
def data_dir(fresh_dir):
    """A configured data directory in which the licence is accepted."""
    for policy in load_catalog().definitions.access.values():
        if isinstance(policy, Acknowledge):
            marker = fresh_dir / policy.marker
            marker.parent.mkdir(exist_ok=True)
            marker.touch()
    return fresh_dir


def bring(miniature, data_dir, part="", gated=False):
    """Copy the files whose key has `part`, and that are public or `gated`, to where a download puts them."""
    catalog = load_catalog()
    held_out = held_out_test(catalog.remote.held_out, catalog.entities)
    is_gated = gated_test(source.args for source in catalog.sources.values())
    for path in miniature.rglob("*"):
        key = path.relative_to(miniature).as_posix()
        if path.is_file() and part in key and not held_out(key) and is_gated(key) == gated:
            target = data_dir / local_path(key, catalog.entities)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)


@pytest.fixture
def here(miniature, data_dir):
    """A data directory with everything of sub-03, and the dataset-level files."""
    bring(miniature, data_dir, "sub-03")
    bring(miniature, data_dir, "participants.tsv")
    return data_dir


@pytest.fixture
def here_all(miniature, data_dir):
    """A data directory with everything that is public."""
    bring(miniature, data_dir)
    return data_dir


@pytest.fixture
def here_images(miniature, here_all):
    """A data directory with everything that is public, and the images that are given under an agreement."""
    bring(miniature, here_all, gated=True)
    return here_all


@pytest.fixture
def denied_key(server):
    """A key of sub-03 that the bucket lists and, for this test, gives to nobody."""
    desc = "desc-Noiseceiling4rep_statmap.nii.gz"
    key = f"derivatives/glmsingle-tedana/sub-03/sub-03_task-images_space-T1w_{desc}"
    server.owner.put_object_acl(Bucket=server.bucket, Key=key, ACL="private")
    yield key
    server.owner.put_object_acl(Bucket=server.bucket, Key=key, ACL="public-read")


@pytest.fixture
def many_keys(server):
    """More files of one session of sub-01 than a page of a listing holds, for this test."""
    start = "derivatives/glmsingle-tedana/sub-01/ses-01/func/figures/many/sub-01_ses-01_task-images_desc-GLMsingle"
    keys = [f"{start}_figure{n:04d}.png" for n in range(1001)]

    def put(key):
        server.owner.put_object(Bucket=server.bucket, Key=key, Body=b"png", ACL="public-read")

    with ThreadPoolExecutor(4) as workers:
        list(workers.map(put, keys))
    yield keys
    for page in (keys[:1000], keys[1000:]):
        objects = [{"Key": key} for key in page]
        server.owner.delete_objects(Bucket=server.bucket, Delete={"Objects": objects, "Quiet": True})


OTHER_LAB = """
name: other_lab
description: Spikes of animals.
metadata: {version: 1}
x-definitions:
  dataset: &dataset
    catalog_schema: "1"
    name: other-lab
    title: Other lab
    release: "3"
    released: "2026-01-31"
    license: CC-BY-4.0
    url: https://other-lab.invalid
    citation: Other lab, release 3.
  remotes:
    bucket: &bucket {kind: s3, bucket: other-lab, region: us-west-2}
  access:
    open: &open {policy: open, license: CC-BY-4.0, url: "https://other-lab.invalid/licence"}
  entities:
    animal: &animal {description: Animal., values: ["rex", "ada"]}
    day: &day {description: Day of the recording., range: ["001", "009"]}
  trees:
    spikes: &spikes {name: spikes, description: Spike counts., prefix: "spikes/{animal}/", filters: [day]}
  discovery:
    subjects: {entity: animal, prefixes: [spikes/]}
sources:
  recordings:
    driver: laion_fmri
    description: Spike counts of one day.
    args:
      dataset: *dataset
      remote: *bucket
      access: *open
      tree: *spikes
      entities: {animal: *animal, day: *day}
      path: spikes/{animal}/animal-{animal}_day-{day}_spikes.tsv
      loader: table
      layout:
        dims: [row]
        columns: {spikes: {dtype: int64, description: Spikes of one trial.}}
      size: {bytes: 100, note: one day}
"""


@pytest.fixture
def other_bucket(server, tmp_path):
    """The catalog of another lab, whose bucket the same server holds for this test."""
    server.owner.create_bucket(Bucket="other-lab", CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
    recordings = {"Bucket": "other-lab", "Key": "spikes/rex/animal-rex_day-002_spikes.tsv"}
    server.owner.put_object(**recordings, Body=b"spikes\n4\n5\n6\n", ACL="public-read")
    path = tmp_path / "other-lab.yaml"
    path.write_text(OTHER_LAB)
    yield path
    server.owner.delete_object(**recordings)
    server.owner.delete_bucket(Bucket="other-lab")
