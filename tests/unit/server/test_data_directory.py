"""The data directory is made closed to others, and refused when it is not ours alone."""

import os
import stat

import pytest

from watchword.errors import InvalidConfigError
from watchword.server.data_directory import prepare_data_directory
from watchword.testing import components


def test_it_is_made_for_us_alone_whatever_the_umask(tmp_path):
    path = tmp_path / "a" / "b"
    prepare_data_directory(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o700
    prepare_data_directory(path)


@pytest.mark.parametrize("mode", [0o750, 0o705, 0o701, 0o777])
def test_fault_N5_one_that_others_may_enter_is_refused(tmp_path, mode):
    path = tmp_path / "data"
    path.mkdir()
    path.chmod(mode)
    with pytest.raises(InvalidConfigError, match="chmod 700"):
        prepare_data_directory(path)


def test_a_file_in_its_place_is_refused(tmp_path):
    path = tmp_path / "data"
    path.write_text("x")
    with pytest.raises(InvalidConfigError, match="not a directory"):
        prepare_data_directory(path)
    with pytest.raises(InvalidConfigError, match="is not a directory"):
        prepare_data_directory(path / "under")


def test_fault_N5_one_of_another_user_is_refused(tmp_path):
    components.require_root("only root can give a directory away")
    path = tmp_path / "data"
    path.mkdir(mode=0o700)
    os.chown(path, 65534, 65534)
    with pytest.raises(InvalidConfigError, match="belongs to another user"):
        prepare_data_directory(path)
