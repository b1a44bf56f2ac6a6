"""Files that anybody may have made: whatever is in them, they load, or one sentence says why they do not.

Hypothesis changes sound files; bombs, small files that unpack to giants, are read by a process whose memory is watched.
"""

import io
import json
import subprocess
import sys
import zipfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from ddpm_core import data

PIXELS = np.random.default_rng(0).integers(0, 256, (5, 6, 4, 3), dtype=np.uint8)


def picture(ending, side=(6, 4)):
    stream = io.BytesIO()
    Image.fromarray(PIXELS[0]).resize(side).save(stream, format=ending)
    return stream.getvalue()


def archive():
    stream = io.BytesIO()
    np.savez_compressed(stream, images=PIXELS, labels=np.arange(5))
    return stream.getvalue()


def array():
    stream = io.BytesIO()
    np.save(stream, PIXELS)
    return stream.getvalue()


def table(features=None, **columns):
    """A parquet file as the Hub writes it."""
    said = {"info": {"features": {"image": {"_type": "Image"}, "label": {"_type": "ClassLabel", "names": ["a", "b"]}}}}
    columns = {"image": [{"bytes": picture("png"), "path": None}] * 4, "label": [0, 1, 1, 0]} | columns
    about = {"huggingface": json.dumps(said if features is None else features)}
    stream = io.BytesIO()
    pq.write_table(pa.table(columns).replace_schema_metadata(about), stream)
    return stream.getvalue()


SOUND = {
    "a.npz": archive(), "a.npy": array(), "a.parquet": table(), "a.png": picture("png"), "a.jpg": picture("jpeg"),
    "a.gif": picture("gif"), "a.tif": picture("tiff"), "a.bmp": picture("bmp"), "a.webp": picture("webp"),
}  # fmt: skip


def loads_or_says_why(path):
    """True if it loads. Everything else than one sentence of ours is an error of the test's."""
    try:
        found = data.load(path)
    except ValueError as error:
        said = str(error)
        assert said.startswith("need ") and "\n" not in said and len(said) < 1000, said
        return False
    assert found.images.ndim == 4 and len(found) == len(found.images)
    return True


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("files")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("DDPM_CORE_CACHE", str(tmp_path / "cache"))


@pytest.mark.parametrize("name", SOUND)
def test_a_sound_file_loads(name, place):
    (place / name).write_bytes(SOUND[name])
    assert loads_or_says_why(place / name)


# What is done to a sound file: a byte becomes another, a stretch is cut out, filled with one byte, or stands twice.
CHANGES = st.lists(
    st.tuples(
        st.sampled_from(["byte", "cut", "fill", "twice"]), st.floats(0, 1), st.integers(1, 64), st.integers(0, 255)
    ),
    min_size=1, max_size=4,
)  # fmt: skip


def changed(raw, changes):
    for what, where, length, byte in changes:
        k = int(where * (len(raw) - 1)) if raw else 0
        middle = raw[k : k + length]
        put = {"byte": bytes([byte]) + middle[1:], "cut": b"", "fill": bytes([byte]) * len(middle), "twice": 2 * middle}
        raw = raw[:k] + put[what] + raw[k + length :]
    return raw


@pytest.mark.parametrize("name", SOUND)
@settings(
    max_examples=60, deadline=10_000, derandomize=True, database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip
@given(changes=CHANGES)
@pytest.mark.filterwarnings("ignore")
def test_a_changed_file_loads_or_is_one_sentence(name, changes, place):
    (place / name).write_bytes(changed(SOUND[name], changes))
    loads_or_says_why(place / name)


@pytest.mark.parametrize("name", SOUND)
@settings(max_examples=15, deadline=10_000, derandomize=True, database=None)
@given(raw=st.binary(max_size=200), head=st.integers(0, 40))
def test_noise_is_one_sentence_whatever_it_begins_with(name, raw, head, place):
    (place / name).write_bytes(SOUND[name][:head] + raw)
    loads_or_says_why(place / name)


KEYS = st.sampled_from(["info", "features", "image", "label", "_type", "names"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=80, deadline=10_000, derandomize=True, database=None)
@given(features=JSON)
def test_whatever_a_table_says_of_its_columns(features, place):
    (place / "said.parquet").write_bytes(table({"info": features}))
    loads_or_says_why(place / "said.parquet")
    (place / "said.parquet").write_bytes(table(features))
    loads_or_says_why(place / "said.parquet")


VALUES = st.none() | st.integers(-3, 3) | st.floats(allow_nan=True) | st.text(max_size=3) | st.binary(max_size=5)


@settings(max_examples=60, deadline=10_000, derandomize=True, database=None)
@given(column=st.sampled_from(["image", "label", "text"]), value=VALUES)
def test_whatever_a_column_holds(column, value, place):
    (place / "cells.parquet").write_bytes(table(**{column: [value] * 4}))
    loads_or_says_why(place / "cells.parquet")


@settings(max_examples=60, deadline=10_000, derandomize=True, database=None)
@given(
    shape=st.lists(st.sampled_from([0, 1, 2, 3, 5]), max_size=5),
    kind=st.sampled_from(["u1", "i8", "u8", "f2", "f8", "c8", "b1", "U3", "S2", "M8[D]", "i4,f4"]),
    key=st.sampled_from(["images", "x", "labels", "other", "", "../x"]),
)
@pytest.mark.filterwarnings("ignore")
def test_whatever_an_array_is(shape, kind, key, place):
    stream = io.BytesIO()
    np.savez(stream, **{key: np.zeros(shape, kind)})
    (place / "kind.npz").write_bytes(stream.getvalue())
    loads_or_says_why(place / "kind.npz")


def test_an_array_of_objects_is_refused_unopened(place):
    np.savez(place / "objects.npz", images=np.array([{"a": 1}], object))
    with pytest.raises(ValueError, match="cannot be read"):
        data.load(place / "objects.npz")


# ---- bombs -----------------------------------------------------------------------------------------------------


def claims(shape):
    """An array's header that promises this shape, and hardly any bytes behind it."""
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": "|u1", "fortran_order": False, "shape": shape})
    return stream.getvalue() + bytes(100)


def zipped(entries):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, parts in entries.items():
            with packed.open(name, "w", force_zip64=True) as entry:
                entry.writelines(parts)
    return stream.getvalue()


def bombs():
    """name -> small files that unpack to giants."""
    million = bytes(1 << 20)
    noise = io.BytesIO()
    Image.fromarray(np.random.default_rng(1).integers(0, 256, (100, 100, 3), dtype=np.uint8)).save(noise, "png")
    black = io.BytesIO()
    Image.new("1", (12_000, 12_000)).save(black, "png")
    same = pa.DictionaryArray.from_arrays([0] * 37_000, [noise.getvalue()])
    header = claims((300, 1024, 1024, 1))[:-100]
    return {
        "packed.npz": zipped({"images.npy": [header, *[million] * 300]}),
        "promised.npz": zipped({"images.npy": [claims((10**9, 64, 64))]}),
        "promised.npy": claims((10**9, 64, 64)),
        "black.png": black.getvalue(),
        "many.parquet": table(image=same, label=[0] * 37_000),
    }


WATCHED = """
import json, resource, sys
from ddpm_core import data
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
data.load("digits")
before, said = peak(), {}
for path in sys.argv[1:]:
    try:
        data.load(path)
    except ValueError as error:
        said[path] = str(error)
print(json.dumps([peak() - before, said]))
"""


def test_a_bomb_is_refused_before_it_goes_off(place):
    paths = []
    for name, raw in bombs().items():
        assert len(raw) < 8 << 20
        (place / name).write_bytes(raw)
        paths.append(str(place / name))
    done = subprocess.run(
        [sys.executable, "-c", WATCHED, *paths], capture_output=True, text=True, check=True, timeout=120
    )
    megabytes, said = json.loads(done.stdout)
    assert list(said) == paths, "each is refused"
    assert all(words.startswith("need ") and "\n" not in words for words in said.values()), said
    assert "200 times" in said[paths[0]] and "million pixels" in said[paths[3]] and "1,100 times" in said[paths[4]]
    assert megabytes < 300
