from xml.etree import ElementTree

import pytest

from ingest.safe_xml import NotXml, parse_xml

FEED = """<?xml version="1.0" encoding="iso-8859-1"?><!-- a comment -->
<feed xmlns="http://www.w3.org/2005/Atom" xml:lang="de"><title type="text">Caf\u00e9 &amp; <![CDATA[<b>]]></title>
<x:y xmlns:x="urn:x" x:z="1"/></feed>""".encode("iso-8859-1")


def test_the_tree_is_that_of_the_standard_library() -> None:
    ours, theirs = parse_xml(FEED), ElementTree.fromstring(FEED)
    assert [(each.tag, each.attrib, each.text) for each in ours.iter()] == [
        (each.tag, each.attrib, each.text) for each in theirs.iter()
    ]


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "document type"),
        (b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>', "document type"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><a/>'.encode("utf-16"), "document type"),
        (b"<a>" * 101 + b"</a>" * 101, "100 deep"),
        (b"<a>", "no XML"),
        (b"", "no XML"),
        (b"<a>&b;</a>", "no XML"),
        (b'<?xml version="1.0" encoding="nonsense"?><a/>', "no XML"),
        (b"\xff\xfe\x00", "no XML"),
    ],
)
def test_what_is_not_read_is_told_in_one_line(body: bytes, why: str) -> None:
    with pytest.raises(NotXml, match=why) as caught:
        parse_xml(body)
    assert "\n" not in str(caught.value)
