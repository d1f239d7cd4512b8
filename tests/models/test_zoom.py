import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from kaoiro.models.zoom import zoom_matrix


@pytest.mark.parametrize("factor", [0.7, 0.95, 1.04, 1.5])
@pytest.mark.parametrize("size", [16, 47, 48])
def test_against_torchs_own_sampling(factor, size):
    picture = torch.rand(2, 1, size, size, generator=torch.Generator().manual_seed(0))
    plan = torch.tensor([[1 / factor, 0, 0], [0, 1 / factor, 0]]).expand(2, 2, 3)
    grid = F.affine_grid(plan, [2, 1, size, size], align_corners=False)
    expected = F.grid_sample(picture, grid, mode="bilinear", padding_mode="border", align_corners=False)
    matrix = zoom_matrix(size, factor)
    assert torch.allclose(matrix @ picture @ matrix.T, expected, atol=1e-4)


@given(size=st.integers(2, 64), factor=st.floats(0.5, 2))
def test_a_plain_picture_stays_as_it_is_and_the_middle_stays_in_the_middle(size, factor):
    matrix = zoom_matrix(size, factor)
    assert torch.allclose(matrix.sum(1), torch.ones(size), atol=1e-5)
    assert torch.allclose(matrix, matrix.flip(0, 1), atol=1e-5)


def test_a_zoom_of_one_changes_nothing():
    assert torch.equal(zoom_matrix(48, 1.0), torch.eye(48))
