"""Where a bucket is asked: as boto3 would, whatever it is configured with; and buckets that are not public."""

import pytest

from laion_fmri.catalog.remotes import S3Remote
from laion_fmri.errors import DeniedError, RemoteError
from laion_fmri.storage.bucket import Bucket
from laion_fmri.storage.endpoint import addresses

PUBLIC = S3Remote(kind="s3", bucket="some-lab", region="eu-central-1")
PRIVATE = PUBLIC.model_copy(update={"anonymous": False})
QUERY = {"list-type": "2", "prefix": "a b/"}


@pytest.fixture
def configured(no_config):
    """A function that writes the configuration file of AWS tools."""

    def write(text):
        (no_config / ".aws").mkdir()
        (no_config / ".aws" / "config").write_text(text)

    return write


def test_a_bucket_has_the_address_that_amazon_gives_it():
    found = addresses(PUBLIC)
    assert found.of_file("a b/ä+c.tsv") == "https://some-lab.s3.eu-central-1.amazonaws.com/a%20b/%C3%A4%2Bc.tsv"
    assert found.of_list(QUERY) == "https://some-lab.s3.eu-central-1.amazonaws.com/?list-type=2&prefix=a%20b%2F"


@pytest.mark.parametrize("variable", ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"])
def test_the_variables_of_boto3_point_it_elsewhere(monkeypatch, variable):
    monkeypatch.setenv(variable, "https://mirror.example/s3")
    assert addresses(PUBLIC).of_file("key") == "https://mirror.example/s3/some-lab/key"
    monkeypatch.setenv(variable, "http://127.0.0.1:9000/")
    assert addresses(PUBLIC).of_file("key") == "http://127.0.0.1:9000/some-lab/key"


def test_the_configuration_file_of_boto3_points_it_elsewhere(configured):
    configured("[default]\nendpoint_url = https://mirror.example\ns3 =\n  addressing_style = path\n")
    assert addresses(PUBLIC).of_file("key") == "https://mirror.example/some-lab/key"


def test_a_profile_that_is_not_there_is_told(monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(RemoteError, match=r"s3://some-lab.*nobody.*AWS_PROFILE"):
        addresses(PUBLIC)


def test_a_bucket_that_is_not_public_is_read_with_the_credentials_of_boto3(server, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    place = {"Bucket": "some-lab"}
    server.owner.create_bucket(**place, CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
    server.owner.put_object(**place, Key="a b/c+d.tsv", Body=b"content")
    try:
        with pytest.raises(DeniedError), Bucket(PUBLIC).open("a b/c+d.tsv"):
            pass
        bucket = Bucket(PRIVATE)
        assert [file.key for file in bucket.files("a b/")] == ["a b/c+d.tsv"]
        assert bucket.folder("") == ([], ["a b"])
        with bucket.open("a b/c+d.tsv", 2, 5) as body:
            assert (b"".join(body.chunks), body.part.start, body.part.total) == (b"nte", 2, 7)
    finally:
        server.owner.delete_object(**place, Key="a b/c+d.tsv")
        server.owner.delete_bucket(**place)


def test_missing_credentials_are_told_with_what_to_do(monkeypatch):
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(RemoteError, match=r"s3://some-lab is not public.*AWS_PROFILE"):
        list(Bucket(PRIVATE).files(""))
