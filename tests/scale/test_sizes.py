import pytest

from kaoiro.errors import InputError
from kaoiro.scale.sizes import parse_sizes


def test_sizes():
    assert parse_sizes("512, 1K,64k,1M,2GiB,8KB") == [512, 1024, 65536, 1048576, 2147483648, 8192]


@pytest.mark.parametrize("text", ["", "1K,,2K", "0", "-1", "1.5M", "big", "1T"])
def test_what_is_no_size(text):
    with pytest.raises(InputError, match="is not a message size; give sizes like 1K"):
        parse_sizes(text)
