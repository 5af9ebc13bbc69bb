"""Classical enhancement of pictures: tone, sharpness, noise, local contrast, 3D lookup tables.

Every function takes and returns an image `(h, w, 3)` of red, green and blue: uint8 (0..255),
uint16 (0..65535) or float32 (0..1). The type stays; in between are real numbers, so 16 bits are
never cut to 8 and nothing wraps around. Results are clipped to the range of the type.
"""

from sr.enhance.clahe import clahe
from sr.enhance.cube import read_cube, write_cube
from sr.enhance.denoise import median, noise_sigma, non_local_means
from sr.enhance.lut3d import Lut3D, LutFit
from sr.enhance.tone import adjust_hsv, brightness_contrast, sharpen

__all__ = [
    "Lut3D",
    "LutFit",
    "adjust_hsv",
    "brightness_contrast",
    "clahe",
    "median",
    "noise_sigma",
    "non_local_means",
    "read_cube",
    "sharpen",
    "write_cube",
]
