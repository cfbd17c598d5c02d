"""Pages of a listing: however a server writes them, they mean the same, and what is no page is no empty bucket."""

from xml.etree.ElementTree import ParseError

import pytest

from fault_bucket import PAGE
from fault_kinds import Fault
from laion_fmri.catalog import load_catalog
from laion_fmri.storage.bucket import Bucket
from laion_fmri.storage.page import Page, read_page
from laion_fmri.storage.plan import RemoteFile

S3 = "http://s3.amazonaws.com/doc/2006-03-01/"
FILES = [
    RemoteFile("a/plain.nii.gz", 12_345_678_901, '"0123456789abcdef0123456789abcdef-17"'),
    RemoteFile("a/x + y & z%20<é>.txt", 0, '"0123456789abcdef0123456789abcdef"'),
]
KEYS = [
    "<Key>a/plain.nii.gz</Key>",
    "<Key>a/x+%2B+y+%26+z%2520%3C%C3%A9%3E.txt</Key>",
]
ETAGS = [f"<ETag>{file.etag}</ETag>".replace('"', "&quot;") for file in FILES]
SIZES = [f"<Size>{file.size}</Size>" for file in FILES]
WHEN = "<LastModified>2026-01-31T00:00:00.000Z</LastModified>"
CLASS = "<StorageClass>STANDARD</StorageClass>"
HEAD = "<Name>b</Name><Prefix>a/</Prefix><EncodingType>url</EncodingType><IsTruncated>false</IsTruncated>"


def cells(*parts):
    """Return each file, made of its parts; those are the same for all, or one for each."""
    each = ([part[i] if isinstance(part, list) else part for part in parts] for i in range(len(FILES)))
    return [f"<Contents>{''.join(one)}</Contents>" for one in each]


USUAL = cells(KEYS, WHEN, ETAGS, SIZES, CLASS)


def page(*parts, head=HEAD, start=f'<ListBucketResult xmlns="{S3}">'):
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{start}{head}{"".join(parts)}</ListBucketResult>'


def prefixed(text):
    """Return a page whose elements are of the same namespace by a prefix."""
    text = text.replace("</", "\0").replace("<", "<s3:").replace("\0", "</s3:")
    return text.replace("<s3:?xml", "<?xml").replace("xmlns=", "xmlns:s3=")


CHECKSUMS = "<ChecksumAlgorithm>CRC64NVME</ChecksumAlgorithm><ChecksumAlgorithm>SHA256</ChecksumAlgorithm>"
CHECKSUMS = f"{CHECKSUMS}<ChecksumType>FULL_OBJECT</ChecksumType>"
OWNER = "<Owner><ID>1</ID><DisplayName>Key</DisplayName></Owner>"
SPELT = ["<Key>a/plain.nii.gz</Key>", "<Key>a/x + y &amp; z%20&lt;&#xe9;&gt;.txt</Key>"]
PAGES = {
    "as S3 writes it": page(*USUAL),
    "with plain quotes": page(*USUAL).replace("&quot;", '"'),
    "with quotes by their number": page(*USUAL).replace("&quot;", "&#34;"),
    "with checksums": page(*cells(KEYS, WHEN, ETAGS, CHECKSUMS, SIZES, CLASS)),
    "with owners": page(*cells(KEYS, WHEN, ETAGS, SIZES, OWNER, CLASS)),
    "with an owner before the name": page(*cells(OWNER, KEYS, WHEN, ETAGS, SIZES)),
    "with no more than it takes": page(*cells(KEYS, ETAGS, SIZES)),
    "in another order": page(*cells(SIZES, CLASS, ETAGS, WHEN, KEYS)),
    "with the head behind": page(*USUAL, HEAD, head=""),
    "one file in another order": page(USUAL[0], cells(SIZES, ETAGS, KEYS)[1]),
    "the first file in another order": page(cells(SIZES, ETAGS, KEYS)[0], USUAL[1]),
    "with lines and blanks": page(*USUAL).replace("><", ">\n  <"),
    "with text as it is": page(*cells([f"<Key><![CDATA[{key[5:-6]}]]></Key>" for key in KEYS], WHEN, ETAGS, SIZES)),
    "with a file in a comment": page(*USUAL, f"<!--{USUAL[0]}-->"),
    "with files in text as it is": page(*USUAL, f"<Comment><![CDATA[{''.join(USUAL)}]]></Comment>"),
    "not encoded": page(*cells(SPELT, WHEN, ETAGS, SIZES, CLASS), head="<IsTruncated>false</IsTruncated>"),
    "without a namespace": page(*USUAL, start="<ListBucketResult>"),
    "in another namespace": page(*USUAL, start='<ListBucketResult xmlns="urn:other">'),
    "with a prefix": prefixed(page(*USUAL)),
}


@pytest.mark.parametrize("form", PAGES)
def test_a_page_means_the_same_however_it_is_written(form):
    assert read_page(PAGES[form].encode()).files == FILES


@pytest.mark.parametrize("code", ["utf-8-sig", "utf-16", "latin-1"])
def test_a_page_may_be_in_another_encoding(code):
    name = {"utf-8-sig": "UTF-8"}.get(code, code)
    raw = page(
        *cells(["<Key>a/plain.nii.gz</Key>", "<Key>a/x + y &amp; z%20&lt;é&gt;.txt</Key>"], ETAGS, SIZES), head=""
    )
    assert read_page(raw.replace("UTF-8", name).encode(code)).files == FILES


def test_a_file_may_have_no_version():
    assert read_page(page(*cells(KEYS, WHEN, SIZES)).encode()).files == [RemoteFile(*file[:2]) for file in FILES]


def test_folders_and_the_next_page_are_told_beside_files():
    told = "".join(f"<CommonPrefixes><Prefix>a/{name}/</Prefix></CommonPrefixes>" for name in ("b%26", "c"))
    more = "<NextContinuationToken>2+%20/=</NextContinuationToken>"
    body = page(*USUAL, told, more).replace("false", "true")
    assert read_page(body.encode()) == Page(FILES, ["a/b&/", "a/c/"], True, "2+%20/=")


WHOLE = page(*USUAL)
BROKEN = {
    "without a size": page(*cells(KEYS, WHEN, ETAGS, CLASS)),
    "one file without a size": page(USUAL[0], cells(KEYS, WHEN, ETAGS)[1]),
    "a size that is none": page(*USUAL).replace("<Size>0</Size>", "<Size>none</Size>"),
    "an empty size": page(*USUAL).replace("<Size>0</Size>", "<Size></Size>"),
    "cut off in the head": WHOLE[:120],
    "cut off behind a file": WHOLE[: WHOLE.index(USUAL[1])],
    "cut off in a file": WHOLE[: WHOLE.index(USUAL[1]) + 60],
    "cut off behind the files": WHOLE.removesuffix("</ListBucketResult>"),
    "cut off in the last word": WHOLE[:-1],
    "files and no page": "".join(USUAL),
    "files of something else": page(*USUAL).replace("ListBucketResult", "Error"),
    "a page in a page": f"<html>{WHOLE.partition('?>')[2]}</html>",
    "a page and more": f"{WHOLE}{USUAL[0]}<p>",
    "a page of HTML": PAGE.decode(),
    "an error": "<Error><Code>InternalError</Code></Error>",
}


@pytest.mark.parametrize("form", BROKEN)
def test_what_is_no_page_is_an_error(form):
    with pytest.raises((ParseError, ValueError, TypeError)):
        read_page(BROKEN[form].encode())


def test_a_page_that_is_cut_off_is_asked_for_again(faulty):
    pages = [BROKEN["cut off behind a file"], BROKEN["cut off behind the files"], page(*USUAL)]
    faulty.listings = [Fault.page(one.encode()) for one in pages]
    assert list(Bucket(load_catalog().remote).files("a/")) == FILES
    assert faulty.listings == []
