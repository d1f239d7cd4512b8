"""Random changes that lenses, sensors and films make to faces: colour, blur and noise, for whole batches.

Faces are `float32 (batch, channels, height, width)` with values 0 to 255.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from kaoiro.training.random_amounts import uniform

_LUMA = (0.299, 0.587, 0.114)
"""ITU-R BT.601, by which `face_pixels` makes a picture grey."""


def random_colour(
    faces_BCHW: Tensor, *, saturation: float, hue: float, grayscale: float, generator: torch.Generator
) -> Tensor:
    """Change every face's saturation and hue, and take the colour out of some, as one 3 × 3 matrix a face.

    Hue turns colours about the axis of the greys, which keeps R + G + B; `torchvision`'s `adjust_hue` goes by way of
    HSV and keeps max(R, G, B). Saturation and grey are as in `torchvision`.

    Args:
        faces_BCHW: `float32 (batch, 3, height, width)`.
        saturation: largest relative factor; 0.2 means a factor between 1/1.2 and 1.2.
        hue: largest turn as a share of the full circle, 0 to 0.5.
        grayscale: probability of a grey picture.
    """
    count = len(faces_BCHW)
    log_saturation = math.log1p(saturation)
    factor_B = torch.exp(uniform(count, -log_saturation, log_saturation, faces_BCHW, generator))
    angle_B11 = 2 * math.pi * uniform(count, -hue, hue, faces_BCHW, generator).view(-1, 1, 1)
    grey_B = uniform(count, 0, 1, faces_BCHW, generator) < grayscale
    factor_B11 = torch.where(grey_B, 0.0, factor_B).view(-1, 1, 1)
    same = torch.eye(3, device=faces_BCHW.device)
    luma = torch.tensor(_LUMA, device=faces_BCHW.device).expand(3, 3)
    # Rodrigues' formula for the axis (1, 1, 1) / √3.
    cross = torch.tensor([[0.0, -1, 1], [1, 0, -1], [-1, 1, 0]], device=faces_BCHW.device) / math.sqrt(3)
    turn_B33 = torch.cos(angle_B11) * same + torch.sin(angle_B11) * cross + (1 - torch.cos(angle_B11)) / 3
    change_B33 = (factor_B11 * same + (1 - factor_B11) * luma) @ turn_B33
    return (change_B33 @ faces_BCHW.flatten(2)).view_as(faces_BCHW).clamp_(0, 255)


def random_blur(
    faces_BCHW: Tensor, *, probability: float, sigma: tuple[float, float], generator: torch.Generator
) -> Tensor:
    """Blur some faces with Gaussians of random widths; the picture is mirrored at its border.

    Args:
        faces_BCHW: `float32 (batch, channels, height, width)`.
        probability: share of the faces that are blurred.
        sigma: least and largest standard deviation of the Gaussian, in pixels.
    """
    count, channels, height, width = faces_BCHW.shape
    chosen_B = uniform(count, 0, 1, faces_BCHW, generator) < probability
    sigma_N = uniform(count, *sigma, faces_BCHW, generator)[chosen_B]
    if not len(sigma_N):
        return faces_BCHW
    radius = min(math.ceil(3 * sigma[1]), height - 1, width - 1)
    places_K = torch.arange(-radius, radius + 1, device=faces_BCHW.device)
    gaussian_NK = torch.exp(-0.5 * (places_K / sigma_N[:, None]).square())
    kernel_NK = (gaussian_NK / gaussian_NK.sum(1, keepdim=True)).repeat_interleave(channels, 0)
    # Each channel of each face is a channel of one picture, so that each has a kernel of its own.
    planes_1NHW = faces_BCHW[chosen_B].flatten(0, 1)[None]
    padded_1NHW = F.pad(planes_1NHW, [radius] * 4, mode="reflect")
    columns_1NHW = F.conv2d(padded_1NHW, kernel_NK[:, None, :, None], groups=len(kernel_NK))
    blurred_1NHW = F.conv2d(columns_1NHW, kernel_NK[:, None, None, :], groups=len(kernel_NK))
    result_BCHW = faces_BCHW.clone()
    result_BCHW[chosen_B] = blurred_1NHW.view(-1, channels, height, width)
    return result_BCHW


def random_noise(faces_BCHW: Tensor, *, deviation: float, generator: torch.Generator) -> Tensor:
    """Add Gaussian noise to every pixel; each face has its own standard deviation, up to `deviation` × 255."""
    strength_B111 = 255 * uniform(len(faces_BCHW), 0, deviation, faces_BCHW, generator).view(-1, 1, 1, 1)
    noise_BCHW = torch.randn(faces_BCHW.shape, generator=generator, device=generator.device).to(faces_BCHW.device)
    return noise_BCHW.mul_(strength_B111).add_(faces_BCHW).clamp_(0, 255)
